-- What a vendor writes for review: drafts, versions, documents, and answers to a versioned set of criteria.
-- Run by gateway_owner.

-- ---- criteria -------------------------------------------------------------------------------------------------------
CREATE TABLE catalogue.criteria_set (
  version int4 PRIMARY KEY CHECK (version > 0),
  state text NOT NULL CHECK (state IN ('draft', 'published')),
  note text NOT NULL DEFAULT '',            -- what is new in it
  created_at timestamptz NOT NULL,
  published_at timestamptz,
  published_by uuid,                        -- none: it came with the product
  CHECK ((state = 'published') = (published_at IS NOT NULL))
);
CREATE UNIQUE INDEX ON catalogue.criteria_set (state) WHERE state = 'draft';
CREATE TABLE catalogue.criterion (
  set_version int4 NOT NULL REFERENCES catalogue.criteria_set,
  code text NOT NULL,                       -- for instance SEC-03; keeps its meaning from set to set
  position int2 NOT NULL,
  area text NOT NULL CHECK (area IN ('security', 'interoperability', 'ethics', 'accessibility', 'sustainability')),
  mandatory boolean NOT NULL,
  exchange_only boolean NOT NULL,           -- asked only of apps that exchange data with the health space
  text_fr text NOT NULL,
  text_en text NOT NULL,
  help_fr text NOT NULL,
  help_en text NOT NULL,
  evidence_fr text NOT NULL,                -- what is asked as evidence
  evidence_en text NOT NULL,
  source text NOT NULL,                     -- where the demand comes from
  PRIMARY KEY (set_version, code),
  UNIQUE (set_version, position) DEFERRABLE
);

-- ---- applications: more columns, and drafts -------------------------------------------------------------------------
-- Bytes that vendors gave, once each. Only documents and logos lead to them.
CREATE TABLE catalogue.content (
  sha256 bytea PRIMARY KEY CHECK (length(sha256) = 32),
  media_type text NOT NULL,                 -- as the bytes themselves say
  bytes bytea NOT NULL CHECK (length(bytes) <= 10485760),
  added_at timestamptz NOT NULL
);

ALTER TABLE catalogue.application
  ADD COLUMN version int4 NOT NULL DEFAULT 1 CHECK (version > 0),
  ADD COLUMN created_at timestamptz,
  ADD COLUMN saved_at timestamptz,
  ADD COLUMN draft jsonb,                   -- what was typed, by section, complete or not; only while it is a draft
  ADD COLUMN changes_fr text NOT NULL DEFAULT '',
  ADD COLUMN changes_en text NOT NULL DEFAULT '',
  ADD COLUMN exchanges_data boolean NOT NULL DEFAULT true,
  ADD COLUMN links jsonb NOT NULL DEFAULT '{}',   -- site, terms, privacy, support, ios, android, web: each an https URL
  ADD COLUMN economic_model text NOT NULL DEFAULT 'free'
    CHECK (economic_model IN ('free', 'free_with_purchases', 'paid')),
  ADD COLUMN regions text[] NOT NULL DEFAULT '{}',    -- ISO 3166-2; none: everywhere
  ADD COLUMN themes text[] NOT NULL DEFAULT '{}',
  ADD COLUMN medical_device_class text CHECK (medical_device_class IN ('I', 'IIa', 'IIb', 'III')),
  ADD COLUMN medical_device_certificate text,
  ADD COLUMN logo bytea REFERENCES catalogue.content,
  ADD COLUMN criteria_version int4 REFERENCES catalogue.criteria_set,
  ALTER COLUMN submitted_by DROP NOT NULL,
  ALTER COLUMN submitted_at DROP NOT NULL,
  DROP CONSTRAINT application_state_check,
  ADD CONSTRAINT application_state_check
    CHECK (state IN ('draft', 'submitted', 'admissible', 'approved', 'refused', 'withdrawn'));
UPDATE catalogue.application SET created_at = submitted_at, saved_at = submitted_at;
ALTER TABLE catalogue.application
  ALTER COLUMN version DROP DEFAULT,
  ALTER COLUMN created_at SET NOT NULL,
  ALTER COLUMN saved_at SET NOT NULL,
  ADD UNIQUE (app_id, version),
  ADD CHECK ((draft IS NOT NULL) = (state = 'draft')),
  ADD CHECK (state IN ('draft', 'withdrawn') OR submitted_at IS NOT NULL);
CREATE UNIQUE INDEX one_undecided_application ON catalogue.application (app_id)
  WHERE state IN ('draft', 'submitted', 'admissible');

ALTER TABLE catalogue.purpose
  ADD COLUMN justification text NOT NULL DEFAULT '',  -- of the need, for reviewers
  ADD COLUMN same_as uuid;                  -- the first purpose of this app that says the same word for word, or itself
UPDATE catalogue.purpose SET same_as = id;
ALTER TABLE catalogue.purpose ALTER COLUMN same_as SET NOT NULL, ADD FOREIGN KEY (same_as) REFERENCES catalogue.purpose;

CREATE TABLE catalogue.document (
  id uuid PRIMARY KEY,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  kind text NOT NULL CHECK (kind IN ('impact_assessment', 'supporting', 'evidence')),
  name text NOT NULL,                       -- of the file, as its vendor named it
  sha256 bytea NOT NULL REFERENCES catalogue.content,
  added_by uuid NOT NULL,
  added_at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.document (application_id);
CREATE INDEX ON catalogue.document (sha256);
CREATE INDEX ON catalogue.application (logo) WHERE logo IS NOT NULL;

CREATE TABLE catalogue.answer (
  application_id uuid NOT NULL REFERENCES catalogue.application,
  set_version int4 NOT NULL,
  code text NOT NULL,
  answer text NOT NULL CHECK (answer IN ('met', 'not_met', 'not_applicable')),
  explanation text NOT NULL,
  document_id uuid REFERENCES catalogue.document,
  PRIMARY KEY (application_id, code),
  FOREIGN KEY (set_version, code) REFERENCES catalogue.criterion
);

-- ---- what was submitted or published stays as it is -----------------------------------------------------------------
CREATE FUNCTION catalogue.application_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'draft' AND (NEW.state = 'draft' OR
      (OLD.name, OLD.description_fr, OLD.description_en, OLD.profile, OLD.redirect_uris, OLD.origins, OLD.launch_uri,
       OLD.id_token_signed_response_alg, OLD.changes_fr, OLD.changes_en, OLD.exchanges_data, OLD.links,
       OLD.economic_model, OLD.regions, OLD.themes, OLD.medical_device_class, OLD.medical_device_certificate, OLD.logo,
       OLD.criteria_version, OLD.version, OLD.submitted_at)
      IS DISTINCT FROM
      (NEW.name, NEW.description_fr, NEW.description_en, NEW.profile, NEW.redirect_uris, NEW.origins, NEW.launch_uri,
       NEW.id_token_signed_response_alg, NEW.changes_fr, NEW.changes_en, NEW.exchanges_data, NEW.links,
       NEW.economic_model, NEW.regions, NEW.themes, NEW.medical_device_class, NEW.medical_device_certificate, NEW.logo,
       NEW.criteria_version, NEW.version, NEW.submitted_at)) THEN
    RAISE EXCEPTION 'an application that was submitted does not change';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER application_stays BEFORE UPDATE ON catalogue.application
  FOR EACH ROW EXECUTE FUNCTION catalogue.application_stays();

-- For what belongs to an application: written and taken away while it is a draft.
CREATE FUNCTION catalogue.of_a_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM catalogue.application WHERE state = 'draft'
      AND id = (CASE WHEN TG_OP = 'DELETE' THEN OLD.application_id ELSE NEW.application_id END)) THEN
    RAISE EXCEPTION 'an application that was submitted does not change';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER of_a_draft BEFORE INSERT OR DELETE ON catalogue.document
  FOR EACH ROW EXECUTE FUNCTION catalogue.of_a_draft();
CREATE TRIGGER of_a_draft BEFORE INSERT ON catalogue.answer
  FOR EACH ROW EXECUTE FUNCTION catalogue.of_a_draft();
CREATE TRIGGER of_a_draft BEFORE INSERT ON catalogue.purpose
  FOR EACH ROW EXECUTE FUNCTION catalogue.of_a_draft();

CREATE FUNCTION catalogue.of_a_draft_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM catalogue.criteria_set WHERE state = 'draft'
      AND version = (CASE WHEN TG_OP = 'INSERT' THEN NEW.set_version ELSE OLD.set_version END))
      OR (TG_OP = 'UPDATE' AND NEW.set_version <> OLD.set_version) THEN
    RAISE EXCEPTION 'criteria that were published do not change';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER of_a_draft_set BEFORE INSERT OR UPDATE OR DELETE ON catalogue.criterion
  FOR EACH ROW EXECUTE FUNCTION catalogue.of_a_draft_set();

GRANT SELECT, INSERT ON catalogue.content, catalogue.answer, catalogue.criteria_set TO gateway_app;
GRANT UPDATE (added_at) ON catalogue.content TO gateway_app;
GRANT SELECT, INSERT, DELETE ON catalogue.document TO gateway_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON catalogue.criterion TO gateway_app;
GRANT UPDATE (state, note, published_at, published_by) ON catalogue.criteria_set TO gateway_app;
GRANT UPDATE (saved_at, draft, name, description_fr, description_en, profile, redirect_uris, origins, launch_uri,
  id_token_signed_response_alg, changes_fr, changes_en, exchanges_data, links, economic_model, regions, themes,
  medical_device_class, medical_device_certificate, logo, criteria_version, submitted_by, submitted_at)
  ON catalogue.application TO gateway_app;

-- Bytes that no document and no logo leads to any more.
CREATE FUNCTION catalogue.sweep_contents(before timestamptz) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM catalogue.content c WHERE c.added_at < before
    AND NOT EXISTS (SELECT FROM catalogue.document d WHERE d.sha256 = c.sha256)
    AND NOT EXISTS (SELECT FROM catalogue.application v WHERE v.logo = c.sha256);
$$;
REVOKE ALL ON FUNCTION catalogue.application_stays(), catalogue.of_a_draft(), catalogue.of_a_draft_set(),
  catalogue.sweep_contents(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.sweep_contents(timestamptz) TO gateway_app;

-- ---- the first set, in our own words; `source` says where each demand comes from -----------------------------------------
INSERT INTO catalogue.criteria_set (version, state, note, created_at) VALUES (1, 'draft', '', now());
INSERT INTO catalogue.criterion
SELECT 1, c.* FROM jsonb_to_recordset($criteria$[
 {"code": "SEC-01", "position": 0, "area": "security", "mandatory": true, "exchange_only": true,
  "text_fr": "Les données de santé sont hébergées par un hébergeur certifié HDS.",
  "text_en": "Health data is hosted by a host with the HDS certificate.",
  "help_fr": "Vaut aussi pour les sauvegardes et les sous-traitants. Si rien n’est gardé hors du téléphone, répondez « sans objet » et dites-le.",
  "help_en": "This includes backups and subcontractors. If nothing is kept outside of the phone, answer “not applicable” and say so.",
  "evidence_fr": "Certificat de l’hébergeur, avec son périmètre et sa date de fin.",
  "evidence_en": "The host’s certificate, with its scope and its end date.",
  "source": "Code de la santé publique, art. L.1111-8; arrêté du 23 juin 2022"},
 {"code": "SEC-02", "position": 1, "area": "security", "mandatory": true, "exchange_only": false,
  "text_fr": "Toutes les communications passent par TLS 1.2 ou plus récent, et l’application vérifie les certificats.",
  "text_en": "All traffic uses TLS 1.2 or later, and the app checks certificates.",
  "help_fr": "Aucune exception pour un domaine, une ancienne version ou un mode de test.",
  "help_en": "No exception for a domain, an old version or a test mode.",
  "evidence_fr": "Résultat d’un outil d’analyse TLS pour chaque domaine.",
  "evidence_en": "The result of a TLS scanner for each domain.",
  "source": "OWASP MASVS 2.0, MASVS-NETWORK; OWASP ASVS"},
 {"code": "SEC-03", "position": 2, "area": "security", "mandatory": true, "exchange_only": false,
  "text_fr": "Données de santé et secrets sont chiffrés au repos, sur le téléphone comme sur les serveurs.",
  "text_en": "Health data and secrets are encrypted at rest, on the phone as on servers.",
  "help_fr": "Sur un téléphone : le trousseau du système. Rien dans les journaux, les copies d’écran ou les sauvegardes en clair.",
  "help_en": "On a phone: the system’s key store. Nothing in logs, screenshots or plain backups.",
  "evidence_fr": "Description de ce qui est gardé, où, et avec quelles clés.",
  "evidence_en": "A description of what is kept, where, and under which keys.",
  "source": "OWASP MASVS 2.0, MASVS-STORAGE, MASVS-CRYPTO; RGPD art. 32"},
 {"code": "SEC-04", "position": 3, "area": "security", "mandatory": true, "exchange_only": false,
  "text_fr": "L’accès aux données de santé demande une authentification à deux facteurs, ou celle d’un fournisseur d’identité de ce niveau.",
  "text_en": "Access to health data asks for two factors, or for an identity provider of that level.",
  "help_fr": "La biométrie du téléphone compte comme second facteur d’un appareil enrôlé.",
  "help_en": "The phone’s biometrics count as the second factor of an enrolled device.",
  "evidence_fr": "Parcours de connexion et règles de session, d’oubli de mot de passe et de changement d’appareil.",
  "evidence_en": "The way to sign in, and the rules for sessions, forgotten passwords and new devices.",
  "source": "PGSSI-S, référentiel d’identification électronique; OWASP ASVS"},
 {"code": "SEC-05", "position": 4, "area": "security", "mandatory": true, "exchange_only": true,
  "text_fr": "Codes, jetons et secrets OAuth ne quittent jamais l’application et ses serveurs, et n’apparaissent dans aucun journal.",
  "text_en": "OAuth codes, tokens and secrets never leave the app and its servers, and appear in no log.",
  "help_fr": "PKCE à chaque demande, état imprévisible et vérifié, navigateur du système plutôt qu’une vue intégrée.",
  "help_en": "PKCE with every request, a state that cannot be guessed and is checked, the system’s browser rather than an embedded view.",
  "evidence_fr": "Description de la mise en œuvre, bibliothèque et version utilisées.",
  "evidence_en": "A description of the implementation, with the library and its version.",
  "source": "RFC 9700; RFC 8252"},
 {"code": "SEC-06", "position": 5, "area": "security", "mandatory": true, "exchange_only": false,
  "text_fr": "Les failles connues des composants utilisés sont suivies et corrigées dans un délai annoncé.",
  "text_en": "Known flaws of the components in use are followed and mended within a stated time.",
  "help_fr": "Une adresse publique permet de signaler une faille ; une faille critique est corrigée en moins de 30 jours.",
  "help_en": "A public address takes reports of flaws; a critical one is mended in less than 30 days.",
  "evidence_fr": "Liste des composants (SBOM) et procédure de correction.",
  "evidence_en": "A list of components (SBOM) and the procedure for mending.",
  "source": "OWASP ASVS; RFC 9116"},
 {"code": "SEC-07", "position": 6, "area": "security", "mandatory": true, "exchange_only": false,
  "text_fr": "Un test d’intrusion par un tiers date de moins de douze mois, et ses failles graves sont corrigées.",
  "text_en": "A penetration test by a third party is less than twelve months old, and its serious findings are mended.",
  "help_fr": "Il couvre l’application, ses interfaces et ses serveurs.",
  "help_en": "It covers the app, its interfaces and its servers.",
  "evidence_fr": "Synthèse du rapport, et état de chaque faille.",
  "evidence_en": "A summary of the report, and the state of each finding.",
  "source": "Arrêté du 23 juin 2022; OWASP MASTG"},
 {"code": "SEC-08", "position": 7, "area": "security", "mandatory": true, "exchange_only": false,
  "text_fr": "Les personnes qui travaillent pour l’éditeur n’accèdent qu’aux données dont leur tâche a besoin, et chaque accès est tracé.",
  "text_en": "People who work for the vendor reach only the data that their task needs, and each access is recorded.",
  "help_fr": "Vaut pour l’assistance, l’exploitation et les sous-traitants.",
  "help_en": "This includes support, operations and subcontractors.",
  "evidence_fr": "Matrice des droits, et durée de conservation des traces.",
  "evidence_en": "A matrix of rights, and for how long records of access are kept.",
  "source": "RGPD art. 32; PGSSI-S, référentiel d’imputabilité"},
 {"code": "SEC-09", "position": 8, "area": "security", "mandatory": true, "exchange_only": false,
  "text_fr": "Un incident est détecté, notifié à la CNIL en 72 heures quand il touche des personnes, et annoncé au catalogue.",
  "text_en": "An incident is noticed, notified to the CNIL within 72 hours where it touches people, and told to the catalogue.",
  "help_fr": "Les personnes touchées sont prévenues en termes clairs lorsque le risque est élevé.",
  "help_en": "Those concerned are told in clear words where the risk is high.",
  "evidence_fr": "Procédure d’incident, avec le contact joignable.",
  "evidence_en": "The procedure for incidents, with the contact that answers.",
  "source": "RGPD art. 33, 34"},
 {"code": "SEC-10", "position": 9, "area": "security", "mandatory": false, "exchange_only": false,
  "text_fr": "L’éditeur est certifié ISO/IEC 27001 pour le service.",
  "text_en": "The vendor holds ISO/IEC 27001 for the service.",
  "help_fr": "Le périmètre du certificat doit contenir le service présenté.",
  "help_en": "The scope of the certificate has to contain this service.",
  "evidence_fr": "Certificat et déclaration d’applicabilité.",
  "evidence_en": "The certificate and the statement of applicability.",
  "source": "ISO/IEC 27001:2022"},
 {"code": "INT-01", "position": 10, "area": "interoperability", "mandatory": true, "exchange_only": true,
  "text_fr": "L’application lit les adresses du serveur dans son document SMART, et n’en suppose aucune.",
  "text_en": "The app reads the server’s addresses from its SMART document, and assumes none.",
  "help_fr": "Le document .well-known/smart-configuration change : l’application le relit.",
  "help_en": "The document .well-known/smart-configuration changes: the app reads it again.",
  "evidence_fr": "Description, ou trace d’une connexion en bac à sable.",
  "evidence_en": "A description, or the record of a connection in the sandbox.",
  "source": "SMART App Launch 2.2"},
 {"code": "INT-02", "position": 11, "area": "interoperability", "mandatory": true, "exchange_only": true,
  "text_fr": "Quand l’accès est retiré, l’application le dit à la personne, cesse de demander, et garde ou efface comme annoncé.",
  "text_en": "When access is withdrawn, the app tells the person, stops asking, and keeps or erases as announced.",
  "help_fr": "Elle respecte Retry-After et espace ses nouvelles tentatives.",
  "help_en": "It respects Retry-After and spaces out its attempts.",
  "evidence_fr": "Copie d’écran ou description pour 401, 403, 429 et 503.",
  "evidence_en": "A screenshot or a description for 401, 403, 429 and 503.",
  "source": "RFC 6750; RFC 9110; RGPD art. 7"},
 {"code": "INT-03", "position": 12, "area": "interoperability", "mandatory": true, "exchange_only": true,
  "text_fr": "Codes et unités sont repris tels quels, et chaque mesure affichée porte sa date, son unité et son origine.",
  "text_en": "Codes and units are taken as they are, and each measurement shown has its time, its unit and its origin.",
  "help_fr": "LOINC et UCUM. Une valeur convertie est signalée comme telle.",
  "help_en": "LOINC and UCUM. A value that was converted is marked as such.",
  "evidence_fr": "Copie d’écran d’une mesure, et table des codes lus et écrits.",
  "evidence_en": "A screenshot of a measurement, and the table of codes read and written.",
  "source": "HL7 FHIR R4, Observation; LOINC; UCUM"},
 {"code": "INT-04", "position": 13, "area": "interoperability", "mandatory": true, "exchange_only": true,
  "text_fr": "L’application ne demande que les droits de ses finalités, et fonctionne quand une finalité facultative est refusée.",
  "text_en": "The app asks only for what its purposes need, and works where an optional purpose is refused.",
  "help_fr": "Elle lit dans la réponse ce qui a été accordé, plutôt que de le supposer.",
  "help_en": "It reads in the answer what was granted, rather than assume it.",
  "evidence_fr": "Description du comportement pour chaque finalité refusée.",
  "evidence_en": "A description of what happens for each purpose that is refused.",
  "source": "SMART App Launch 2.2; RGPD art. 5(1)(c)"},
 {"code": "INT-05", "position": 14, "area": "interoperability", "mandatory": false, "exchange_only": false,
  "text_fr": "La personne peut emporter ses données dans un format ouvert et documenté.",
  "text_en": "People can take their data with them in an open, documented format.",
  "help_fr": "FHIR, CSV ou équivalent, par elles-mêmes et sans frais.",
  "help_en": "FHIR, CSV or an equivalent, by themselves and free of charge.",
  "evidence_fr": "Exemple de fichier et sa description.",
  "evidence_en": "A sample file and its description.",
  "source": "RGPD art. 20"},
 {"code": "ETH-01", "position": 15, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "Avant toute collecte, la personne lit en français clair qui traite ses données, pourquoi, combien de temps et avec qui.",
  "text_en": "Before any collection, people read in clear French who processes their data, why, for how long and with whom.",
  "help_fr": "Chaque finalité y figure ; les textes juridiques ne suffisent pas.",
  "help_en": "Each purpose is in it; legal texts alone are not enough.",
  "evidence_fr": "Notice d’information telle qu’affichée.",
  "evidence_en": "The notice as it is shown.",
  "source": "RGPD art. 12, 13"},
 {"code": "ETH-02", "position": 16, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "Les données ne servent ni à l’assurance, ni à la publicité, ni à un autre contrat, et ne sont pas vendues.",
  "text_en": "Data is used for no insurance, no advertising and no other contract, and is not sold.",
  "help_fr": "Même sous forme de profil ou de segment, et même avec un accord.",
  "help_en": "Not as a profile or a segment either, and not with consent either.",
  "evidence_fr": "Engagement signé, et liste des destinataires.",
  "evidence_en": "A signed undertaking, and the list of recipients.",
  "source": "Code de la santé publique, art. L.1111-13-1"},
 {"code": "ETH-03", "position": 17, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "Les données sont effacées à la fin de la durée annoncée, au retrait du consentement et à la fermeture du compte.",
  "text_en": "Data is erased at the end of the stated time, when consent is withdrawn, and when the account is closed.",
  "help_fr": "Les sauvegardes suivent dans un délai annoncé.",
  "help_en": "Backups follow within a stated time.",
  "evidence_fr": "Règles d’effacement, et preuve de leur exécution.",
  "evidence_en": "The rules for erasing, and evidence that they run.",
  "source": "RGPD art. 5(1)(e), 17"},
 {"code": "ETH-04", "position": 18, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "L’éditeur, ses financements, la publicité et les liens d’intérêts sont affichés.",
  "text_en": "The vendor, its funding, any advertising and its interests are shown.",
  "help_fr": "Une information payée par un tiers est reconnaissable comme telle.",
  "help_en": "What a third party pays for can be told as such.",
  "evidence_fr": "Adresse de la page.",
  "evidence_en": "The address of the page.",
  "source": "HAS, référentiel de bonnes pratiques sur les applications et objets connectés en santé (2016)"},
 {"code": "ETH-05", "position": 19, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "Tout contenu de santé a un auteur qualifié, une date et ses sources.",
  "text_en": "All health content has a qualified author, a date and its sources.",
  "help_fr": "Sans objet si l’application ne donne aucun contenu de santé.",
  "help_en": "Not applicable where the app gives no health content.",
  "evidence_fr": "Règles éditoriales et deux exemples.",
  "evidence_en": "Editorial rules and two examples.",
  "source": "HAS, référentiel de bonnes pratiques sur les applications et objets connectés en santé (2016)"},
 {"code": "ETH-06", "position": 20, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "Une assistance en français répond en deux jours ouvrés au plus, sans numéro surtaxé.",
  "text_en": "Support in French answers within two working days, without a premium number.",
  "help_fr": "Elle est joignable depuis l’application et depuis le catalogue.",
  "help_en": "It can be reached from the app and from the catalogue.",
  "evidence_fr": "Adresse, horaires et délai observé.",
  "evidence_en": "Address, hours and the time observed.",
  "source": "Arrêté du 23 juin 2022"},
 {"code": "ETH-07", "position": 21, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "L’application dit si elle est un dispositif médical ; si elle l’est, elle porte le marquage CE de sa classe.",
  "text_en": "The app says whether it is a medical device; if it is, it bears the CE mark of its class.",
  "help_fr": "Un calcul qui sert à décider d’un soin est en général un dispositif médical.",
  "help_en": "A computation that serves a decision about care is usually a medical device.",
  "evidence_fr": "Analyse de qualification, ou certificat et déclaration de conformité.",
  "evidence_en": "The analysis of qualification, or certificate and declaration of conformity.",
  "source": "Règlement (UE) 2017/745, art. 2, annexe VIII (11)"},
 {"code": "ETH-08", "position": 22, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "Là où un algorithme apprend, évalue ou recommande, la personne le sait, en connaît les limites et peut parler à un humain.",
  "text_en": "Where an algorithm learns, judges or recommends, people know it, know its limits and can talk to a human.",
  "help_fr": "Sans objet si l’application n’a rien de tel.",
  "help_en": "Not applicable where there is nothing of the kind.",
  "evidence_fr": "Description des données d’apprentissage, des performances et des biais connus.",
  "evidence_en": "A description of training data, performance and known biases.",
  "source": "Règlement (UE) 2024/1689; RGPD art. 22"},
 {"code": "ETH-09", "position": 23, "area": "ethics", "mandatory": true, "exchange_only": false,
  "text_fr": "Aucun traceur n’est posé sans accord, et aucun ne reçoit de donnée de santé.",
  "text_en": "No tracker is set without consent, and none is given health data.",
  "help_fr": "Trousses de développement tierces comprises. Refuser est aussi simple qu’accepter.",
  "help_en": "Software kits of third parties included. To refuse is as easy as to accept.",
  "evidence_fr": "Liste des traceurs et trousses, avec ce que chacun reçoit.",
  "evidence_en": "The list of trackers and kits, with what each is given.",
  "source": "Loi Informatique et Libertés, art. 82; CNIL, recommandation applications mobiles (2024)"},
 {"code": "ETH-10", "position": 24, "area": "ethics", "mandatory": false, "exchange_only": false,
  "text_fr": "Des personnes peu à l’aise avec le numérique ont essayé l’application, et leurs remarques ont été suivies.",
  "text_en": "People who are not at ease with digital things have tried the app, and what they said was acted upon.",
  "help_fr": "Cinq personnes suffisent pour une première série.",
  "help_en": "Five people are enough for a first round.",
  "evidence_fr": "Compte rendu des essais.",
  "evidence_en": "A report of the trials.",
  "source": "ISO 9241-210"},
 {"code": "ACC-01", "position": 25, "area": "accessibility", "mandatory": true, "exchange_only": false,
  "text_fr": "Une déclaration d’accessibilité est publiée, fondée sur un audit de moins de trois ans.",
  "text_en": "An accessibility statement is published, from an audit less than three years old.",
  "help_fr": "Elle donne le taux de conformité, les défauts connus et un moyen de se plaindre.",
  "help_en": "It gives the rate of conformity, the known defects and a way to complain.",
  "evidence_fr": "Adresse de la déclaration et grille d’audit.",
  "evidence_en": "The address of the statement and the audit grid.",
  "source": "RGAA 4.1; EN 301 549; loi n° 2005-102, art. 47"},
 {"code": "ACC-02", "position": 26, "area": "accessibility", "mandatory": true, "exchange_only": false,
  "text_fr": "Se connecter, donner ou retirer un accord et lire ses mesures sont possibles avec un lecteur d’écran, et au clavier sur le web.",
  "text_en": "Signing in, giving or withdrawing consent and reading measurements are possible with a screen reader, and by keyboard on the web.",
  "help_fr": "Essayez avec VoiceOver, TalkBack ou NVDA, et avec un texte agrandi à 200 %.",
  "help_en": "Try it with VoiceOver, TalkBack or NVDA, and with text at 200 %.",
  "evidence_fr": "Compte rendu d’essai par parcours et par lecteur d’écran.",
  "evidence_en": "A report per task and screen reader.",
  "source": "RGAA 4.1; WCAG 2.2 AA"},
 {"code": "ACC-03", "position": 27, "area": "accessibility", "mandatory": false, "exchange_only": false,
  "text_fr": "Au moins 75 % des critères applicables du RGAA sont respectés.",
  "text_en": "At least 75 % of the applicable criteria of the RGAA are met.",
  "help_fr": "Le taux est celui de l’audit de la déclaration.",
  "help_en": "The rate is that of the audit behind the statement.",
  "evidence_fr": "Grille d’audit.",
  "evidence_en": "The audit grid.",
  "source": "RGAA 4.1"},
 {"code": "ACC-04", "position": 28, "area": "accessibility", "mandatory": false, "exchange_only": false,
  "text_fr": "Les textes essentiels existent en français facile à lire et à comprendre.",
  "text_en": "The essential texts exist in French that is easy to read and understand.",
  "help_fr": "Au moins l’accueil, les finalités et l’assistance.",
  "help_en": "At least the first screen, the purposes and the support.",
  "evidence_fr": "Les textes, et qui les a relus.",
  "evidence_en": "The texts, and who proofread them.",
  "source": "Inclusion Europe, règles européennes FALC"},
 {"code": "SUS-01", "position": 29, "area": "sustainability", "mandatory": true, "exchange_only": false,
  "text_fr": "Si le service s’arrête, les personnes sont prévenues trois mois avant, emportent leurs données, et le reste est effacé.",
  "text_en": "If the service ends, people are told three months before, can take their data, and the rest is erased.",
  "help_fr": "Cession à une autre société comprise.",
  "help_en": "Sale to another company included.",
  "evidence_fr": "Clause des conditions d’utilisation ou plan de fin de service.",
  "evidence_en": "The clause in the terms of use, or a plan for the end of the service.",
  "source": "Arrêté du 23 juin 2022; RGPD art. 5"},
 {"code": "SUS-02", "position": 30, "area": "sustainability", "mandatory": false, "exchange_only": false,
  "text_fr": "L’application fonctionne sur des téléphones et systèmes d’au moins cinq ans.",
  "text_en": "The app works on phones and systems that are at least five years old.",
  "help_fr": "Les mises à jour de sécurité y arrivent aussi.",
  "help_en": "Security updates reach them too.",
  "evidence_fr": "Versions minimales et appareils essayés.",
  "evidence_en": "Oldest versions and devices tried.",
  "source": "RGESN (2024)"},
 {"code": "SUS-03", "position": 31, "area": "sustainability", "mandatory": false, "exchange_only": false,
  "text_fr": "Le service a été évalué avec le référentiel d’écoconception, et le score est publié.",
  "text_en": "The service was assessed with the reference for eco-design, and its score is published.",
  "help_fr": "Une auto-évaluation suffit.",
  "help_en": "A self-assessment is enough.",
  "evidence_fr": "Grille remplie et adresse du score.",
  "evidence_en": "The filled-in grid and the address of the score.",
  "source": "RGESN (2024)"},
 {"code": "SUS-04", "position": 32, "area": "sustainability", "mandatory": false, "exchange_only": false,
  "text_fr": "L’application ne lit que ce qui a changé, et rien en arrière-plan dont la personne n’a pas l’usage.",
  "text_en": "The app reads only what has changed, and nothing in the background that people have no use for.",
  "help_fr": "Lecture depuis la dernière date connue, images adaptées à l’écran.",
  "help_en": "Reading from the last known time, pictures that fit the screen.",
  "evidence_fr": "Volume échangé pour une semaine d’usage ordinaire.",
  "evidence_en": "How much is exchanged in a week of ordinary use.",
  "source": "RGESN (2024)"}
]$criteria$) AS c (code text, position int2, area text, mandatory boolean, exchange_only boolean, text_fr text,
  text_en text, help_fr text, help_en text, evidence_fr text, evidence_en text, source text);
UPDATE catalogue.criteria_set SET state = 'published', published_at = now() WHERE version = 1;
