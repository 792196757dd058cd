-- What people call the disks that HawkFish made. That there is such a disk, the backend says.
CREATE TABLE hf_volumes (
    system      TEXT NOT NULL,
    token       TEXT NOT NULL,
    name        TEXT NOT NULL,
    PRIMARY KEY (system, token)
);
