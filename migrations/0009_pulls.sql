-- When the number of pulls of an image was first read higher than before, and the last read before that: a pull whose time
-- nobody knows was between the two. Both null where it has not risen since the image was first read.
ALTER TABLE images ADD COLUMN pulls_rose_at  INTEGER;
ALTER TABLE images ADD COLUMN fewer_pulls_at INTEGER CHECK ((fewer_pulls_at IS NULL) = (pulls_rose_at IS NULL));
