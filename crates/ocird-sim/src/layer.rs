//! Layers that can be pulled: one file in a tar in a gzip, the same bytes for the same words.
//!
//! Written by hand and without compression, as much of both formats as one file needs. Months of simulated life use
//! made-up layers instead, which have a size and no bytes: hashing their gigabytes would take longer than living them.

use std::sync::Arc;

use crate::digest::sha256;
use crate::manifest::Blob;

/// The unit of a tar: a header is one, contents are padded to a multiple.
const BLOCK: usize = 512;
/// The most bytes of a stored block of deflate, whose length has 16 bits.
/// <https://www.rfc-editor.org/rfc/rfc1951#page-11>
const MAX_STORED: usize = 0xffff;

impl Blob {
    /// A layer with one small file that says what it `holds`.
    pub fn packed(holds: &str) -> Self {
        let unpacked = tar("etc/what-this-holds", holds.as_bytes());
        let packed: Arc<[u8]> = gzip(&unpacked).into();
        Self {
            digest: sha256(&packed),
            size: packed.len() as u64,
            bytes: Some(packed),
            diff_id: sha256(&unpacked),
        }
    }
}

/// An archive of one plain file in the format `ustar`: header, content, and two empty blocks.
/// <https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06>
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; BLOCK];
    let mut put =
        |place: usize, text: &str| header[place..place + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000");
    // The checksum is taken with blanks in its own place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let checksum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

/// A gzip file of stored blocks, without a name and a time.
/// <https://www.rfc-editor.org/rfc/rfc1952>
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let n_blocks = content.len().div_ceil(MAX_STORED);
    for (place, block) in content.chunks(MAX_STORED).enumerate() {
        let length = u16::try_from(block.len()).expect("a chunk has no more bytes than 16 bits count");
        file.push(u8::from(place + 1 == n_blocks));
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend_from_slice(block);
    }
    let length = u32::try_from(content.len()).expect("these files are small");
    file.extend(crc32(content).to_le_bytes());
    file.extend(length.to_le_bytes());
    file
}

/// The checksum of gzip, bit by bit: these files are small.
fn crc32(content: &[u8]) -> u32 {
    let remainder = content.iter().fold(u32::MAX, |remainder, byte| {
        (0..8).fold(remainder ^ u32::from(*byte), |remainder, _| {
            let quotient = if remainder & 1 == 1 { 0xedb8_8320 } else { 0 };
            (remainder >> 1) ^ quotient
        })
    });
    !remainder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_nine_digits_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_layer_is_what_its_digest_and_size_say_and_so_is_what_it_holds() {
        let layer = Blob::packed("base amd64");
        let bytes = layer.bytes.clone().unwrap();
        assert_eq!((sha256(&bytes), bytes.len() as u64), (layer.digest, layer.size));
        assert_eq!(layer.diff_id, sha256(&tar("etc/what-this-holds", b"base amd64")));
        assert_eq!(layer, Blob::packed("base amd64"));
        assert_ne!(layer.digest, Blob::packed("base arm64").digest);
    }

    #[test]
    fn an_archive_has_a_checked_header_the_content_and_two_empty_blocks() {
        let archive = tar("name", &[b'x'; 513]);
        assert_eq!(archive.len(), BLOCK * 5);
        assert_eq!(&archive[124..135], b"00000001001");
        let mut blanked = archive[..BLOCK].to_vec();
        blanked[148..156].fill(b' ');
        let sum: u32 = blanked.iter().copied().map(u32::from).sum();
        assert_eq!(archive[148..154], *format!("{sum:06o}").as_bytes());
    }

    #[test]
    fn more_than_one_stored_block_ends_with_the_last() {
        let file = gzip(&vec![7; MAX_STORED + 1]);
        assert_eq!(file.len(), 10 + (5 + MAX_STORED) + (5 + 1) + 8);
        assert_eq!((file[10], file[15 + MAX_STORED]), (0, 1));
    }
}
