"""Sample apps of the kind that vendors write: clients of the public interfaces, each a process with a page of its own.

Nothing here is shared with the gateway. An app finds its endpoints by SMART discovery, asks the patient with OAuth 2
(authorization code, PKCE), and reads measurements over FHIR R4.
"""
