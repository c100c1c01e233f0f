"""What the pages say, in French and English."""

from typing import Final

from device_simulators.apps.language import Language
from device_simulators.apps.measures import Texts

WORDS: Final[dict[str, Texts]] = {
    "sample": {
        "fr": "Application d’exemple. Ce n’est pas un dispositif médical.",
        "en": "Sample app. Not a medical device.",
    },
    "connect": {"fr": "Connecter mon espace santé", "en": "Connect my health space"},
    "connect_lead": {
        "fr": "Vous choisissez, dans votre espace santé, ce que vous partagez. Vous pouvez arrêter à tout moment.",
        "en": "You choose, in your health space, what you share. You can stop at any time.",
    },
    "would_read": {"fr": "Ce que nous demandons à lire", "en": "What we ask to read"},
    "disconnect": {"fr": "Déconnecter", "en": "Disconnect"},
    "refresh": {"fr": "Actualiser", "en": "Refresh"},
    "connected": {"fr": "Votre espace santé est connecté", "en": "Your health space is connected"},
    "granted": {"fr": "Ce que vous partagez", "en": "What you share"},
    "shared": {"fr": "partagé", "en": "shared"},
    "not_shared": {"fr": "non partagé", "en": "not shared"},
    "not_shared_lead": {
        "fr": "Vous n’avez pas partagé cette mesure avec nous. Nous ne la voyons pas, et cela reste votre choix.",
        "en": "You have not shared this measurement with us. We do not see it, and that remains your choice.",
    },
    "nothing": {
        "fr": "Aucune mesure à voir sur 30 jours : rien n’a été mesuré, ou vous ne la partagez plus.",
        "en": "No measurement to see over 30 days: nothing was measured, or you no longer share it.",
    },
    "latest": {"fr": "Dernières mesures", "en": "Latest measurements"},
    "measure": {"fr": "Mesure", "en": "Measurement"},
    "value": {"fr": "Valeur", "en": "Value"},
    "when": {"fr": "Date", "en": "Date"},
    "device": {"fr": "Appareil", "en": "Device"},
    "mean": {"fr": "moyenne sur 30 jours", "en": "mean over 30 days"},
    "change": {"fr": "en 30 jours", "en": "in 30 days"},
    "count_one": {"fr": "1 mesure", "en": "1 measurement"},
    "count": {"fr": "{n} mesures", "en": "{n} measurements"},
    "manage": {
        "fr": "Vous gérez vos partages sous « Mes applications » dans votre espace santé.",
        "en": "You manage what you share under “My apps” in your health space.",
    },
    "disconnected": {
        "fr": "C’est fait : nous n’avons plus accès à votre espace santé.",
        "en": "Done: we no longer have access to your health space.",
    },
    "denied": {
        "fr": "Vous avez refusé : rien n’a été partagé.",
        "en": "You refused: nothing was shared.",
    },
    "withdrawn": {"fr": "Accès retiré", "en": "Access withdrawn"},
    "withdrawn_lead": {
        "fr": "Votre espace santé ne nous donne plus accès : vous l’avez retiré, ou il est arrivé à son terme. Nous "
        "avons effacé ce que nous gardions pour cette connexion.",
        "en": "Your health space no longer gives us access: you took it back, or it came to its end. We deleted what "
        "we kept for this connection.",
    },
    "refused": {
        "fr": "La connexion n’a pas abouti ({error}). Vous pouvez réessayer.",
        "en": "The connection did not succeed ({error}). You can try again.",
    },
    "not_ours": {
        "fr": "Cette réponse n’appartient à aucune demande de ce navigateur. Recommencez depuis cette page.",
        "en": "This answer belongs to no request of this browser. Begin again from this page.",
    },
    "foreign": {
        "fr": "Ce lien vient d’un autre serveur que celui de votre espace santé : nous ne le suivons pas.",
        "en": "This link is from another server than that of your health space: we do not follow it.",
    },
    "whose": {"fr": "Espace santé ouvert :", "en": "Health space shown:"},
    "unavailable": {
        "fr": "Votre espace santé ne répond pas pour le moment. Réessayez dans un instant.",
        "en": "Your health space does not answer at the moment. Try again shortly.",
    },
    "too_old": {
        "fr": "Cette page était trop ancienne. Réessayez.",
        "en": "This page was too old. Try again.",
    },
    "not_found": {"fr": "Cette page n’existe pas.", "en": "There is no such page."},
    "home": {"fr": "Accueil", "en": "Home"},
    "agenda_title": {"fr": "Votre prochain rendez-vous", "en": "Your next appointment"},
    "agenda_with": {"fr": "Dre Claire Morel, médecine générale", "en": "Dr Claire Morel, general practice"},
    "agenda_where": {"fr": "12 rue des Tilleuls, Nantes", "en": "12 rue des Tilleuls, Nantes"},
    "agenda_bring": {"fr": "À apporter à la consultation", "en": "To bring to the consultation"},
    "agenda_lead": {
        "fr": "Connectez votre espace santé : nous résumons votre poids et votre tension des 30 derniers jours.",
        "en": "Connect your health space: we summarise your weight and blood pressure of the last 30 days.",
    },
    "teleconsultation_title": {"fr": "Salle de consultation", "en": "Consultation room"},
    "teleconsultation_with": {"fr": "Dr Karim Benali, diabétologie", "en": "Dr Karim Benali, diabetology"},
    "teleconsultation_where": {"fr": "Appel vidéo, salle 4", "en": "Video call, room 4"},
    "teleconsultation_bring": {"fr": "Ce que le médecin voit", "en": "What the doctor sees"},
    "teleconsultation_lead": {
        "fr": "Connectez votre espace santé pour que le médecin voie votre glycémie pendant l’appel.",
        "en": "Connect your health space so that the doctor sees your blood glucose during the call.",
    },
}


def words(language: Language) -> dict[str, str]:
    """All of them in one language."""
    return {key: texts[language] for key, texts in WORDS.items()}
