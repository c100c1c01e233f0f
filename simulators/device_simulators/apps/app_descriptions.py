"""What the vendor of each sample app submits for review: plain data, whoever takes the submission."""

from dataclasses import dataclass

from device_simulators.apps.measures import BLOOD_GLUCOSE, BLOOD_PRESSURE, WEIGHT, Measure, Texts

HOST = "127.0.0.1"  # of the sample apps; the literal address, as RFC 8252 §8.3 asks, not ``localhost``
DEVICE_SCOPE = "patient/Device.rs"
CALLBACK_PATH = "/callback"
LAUNCH_PATH = "/launch"


@dataclass(frozen=True)
class PurposeDescription:
    """Why the app reads something.

    wording         what the patient is asked
    retention_days  how long what is read is kept
    devices         whether the devices that measured are read as well
    """

    key: str
    name: Texts
    wording: Texts
    required: bool
    retention_days: int
    measures: tuple[Measure, ...]
    devices: bool = False
    write_scope: str = ""  # neither app writes

    @property
    def read_scope(self) -> str:
        return " ".join([*(measure.read_scope for measure in self.measures), *([DEVICE_SCOPE] if self.devices else [])])


@dataclass(frozen=True)
class AppDescription:
    """An app as its vendor describes it. `profile` is ``smart-public`` or ``smart-secret``."""

    key: str
    name: str
    description: Texts
    profile: str
    purposes: tuple[PurposeDescription, ...]

    @property
    def command(self) -> str:
        """Of the group ``simulate``, which runs the app."""
        return f"app-{self.key}"

    def redirect_uris(self, port: int) -> tuple[str, ...]:
        """What to register for an app that listens on `port` of this machine."""
        return (own_url(port) + CALLBACK_PATH,)

    def launch_uri(self, port: int) -> str:
        """Where a portal opens the app (SMART App Launch 2.2, "EHR launch")."""
        return own_url(port) + LAUNCH_PATH

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Everything that the app reads, once, in the order of its purposes."""
        return tuple({measure.code: measure for purpose in self.purposes for measure in purpose.measures}.values())

    @property
    def devices(self) -> bool:
        """Whether the app may know what measured."""
        return any(purpose.devices for purpose in self.purposes)

    @property
    def scope(self) -> str:
        """What the app asks for: one patient, also while the patient is away, and what its purposes read."""
        return self._scope("launch/patient")

    @property
    def scope_of_launch(self) -> str:
        """The same where a portal opened the app: the patient is the one of the launch."""
        return self._scope("launch")

    def _scope(self, context: str) -> str:
        read = [scope for purpose in self.purposes for scope in purpose.read_scope.split()]
        return " ".join([context, "offline_access", *dict.fromkeys(read)])


def own_url(port: int) -> str:
    """Where the page of an app is, without a trailing slash."""
    return f"http://{HOST}:{port}"


AGENDA = AppDescription(
    key="agenda",
    name="Mon Agenda Santé",
    description={
        "fr": "Vos rendez-vous médicaux, et ce qu’il est utile d’apporter à chacun : vos mesures récentes, résumées.",
        "en": "Your medical appointments, and what to bring to each of them: your recent measurements, summarised.",
    },
    profile="smart-public",
    purposes=(
        PurposeDescription(
            key="prepare-consultation",
            name={"fr": "Préparer la consultation", "en": "Prepare the consultation"},
            wording={
                "fr": "Nous lisons votre poids et votre tension des 30 derniers jours pour en préparer un résumé que "
                "vous montrez à votre médecin. Nous ne gardons aucune mesure.",
                "en": "We read your weight and blood pressure of the last 30 days to prepare a summary that you show "
                "to your doctor. We keep no measurement.",
            },
            required=True,
            retention_days=1,
            measures=(WEIGHT, BLOOD_PRESSURE),
        ),
    ),
)

TELECONSULTATION = AppDescription(
    key="teleconsultation",
    name="TéléConsult",
    description={
        "fr": "Consultez un médecin par vidéo ; il voit pendant l’appel les mesures que vous choisissez de partager.",
        "en": "See a doctor by video; during the call, the doctor sees the measurements that you choose to share.",
    },
    profile="smart-secret",
    purposes=(
        PurposeDescription(
            key="follow-glucose",
            name={"fr": "Suivi de la glycémie", "en": "Follow your blood glucose"},
            wording={
                "fr": "Pendant l’appel, le médecin voit votre glycémie des 30 derniers jours et le type d’appareil qui "
                "l’a mesurée. Elle est conservée 30 jours avec le compte rendu.",
                "en": "During the call, the doctor sees your blood glucose of the last 30 days and the type of device "
                "that measured it. It is kept for 30 days with the report.",
            },
            required=True,
            retention_days=30,
            measures=(BLOOD_GLUCOSE,),
            devices=True,
        ),
        PurposeDescription(
            key="follow-weight",
            name={"fr": "Suivi du poids", "en": "Follow your weight"},
            wording={
                "fr": "Le médecin voit aussi votre poids, pour adapter un traitement. Vous pouvez refuser et consulter "
                "tout de même.",
                "en": "The doctor also sees your weight, to adapt a treatment. You may refuse and still have the "
                "consultation.",
            },
            required=False,
            retention_days=30,
            measures=(WEIGHT,),
        ),
    ),
)

DESCRIPTIONS = (AGENDA, TELECONSULTATION)
