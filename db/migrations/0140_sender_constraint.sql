-- Tokens that are bound to a client's TLS certificate (RFC 8705), beside those that are bound by DPoP. A process of before
-- knows none of it: it asks such a client for a DPoP proof, and so refuses it.

alter table client
  -- Absent: what the profile has by itself; dpop for fapi2, nothing for smart.
  add column sender_constraint text,
  -- Base64url of the SHA-256 of a certificate's DER (`x5t#S256`). Nothing secret: whoever has a private key proves it by TLS.
  add column certificates text[] not null default '{}',
  add constraint client_sender_constraint_is_known check (sender_constraint in ('dpop', 'mtls')),
  add constraint client_of_smart_is_a_bearer check (profile = 'fapi2' or sender_constraint is null),
  add constraint client_certificates_are_for_mutual_tls
    check (certificates = '{}' or coalesce(sender_constraint, '') = 'mtls'),
  drop constraint client_has_its_keys_in_one_place,
  -- A client that authenticates by its certificate needs no key to sign with.
  add constraint client_has_its_keys_in_one_place check (
    (jwks_uri is null) <> (jwks is null) or (jwks_uri is null and jwks is null and certificates <> '{}')
  );
