-- What a manifest refers to tells its configuration too, by whose digest engines name what they run. It is read out of the bytes that
-- are kept of it, so that nothing has to be fetched again.
UPDATE manifests SET content = json_set(content, '$.config', (
    SELECT json_extract(CAST(bytes AS TEXT), '$.config.digest') FROM manifest_bytes WHERE manifest_bytes.manifest = manifests.id
))
WHERE is_held = 1 AND json_extract(content, '$.kind') = 'manifest' AND EXISTS (
    SELECT 1 FROM manifest_bytes WHERE manifest_bytes.manifest = manifests.id
        AND CASE WHEN json_valid(CAST(bytes AS TEXT)) THEN json_type(CAST(bytes AS TEXT), '$.config.digest') END = 'text'
);
