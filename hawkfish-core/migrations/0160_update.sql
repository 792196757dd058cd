-- Images that were pushed into the store of HawkFish, by the beginning of their SHA-256. The bytes lie in the image cache.
CREATE TABLE hf_images (
    id          TEXT PRIMARY KEY NOT NULL,
    image       TEXT NOT NULL
);

-- Slots whose medium was pushed to be booted once, and goes with the reset after that boot.
CREATE TABLE hf_boot_images (
    system      TEXT NOT NULL,
    slot        TEXT NOT NULL,
    image       TEXT NOT NULL,
    reset_ms    INTEGER,
    PRIMARY KEY (system, slot)
);
