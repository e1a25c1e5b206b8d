"""Connection IDs as a server makes them: draft-ietf-quic-load-balancers-21 section 5, by libcrypto's AES."""
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def _aes(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b))


def _four_passes(key: bytes, text: bytes) -> bytes:
    """Section 5.4.2: a Feistel network of two halves; an odd length splits the middle octet."""
    half, odd = (len(text) + 1) // 2, len(text) % 2 == 1

    def left_of(octets):
        return octets[:half - 1] + bytes([octets[half - 1] & 0xF0]) if odd else octets[:half]

    def right_of(octets):
        return bytes([octets[0] & 0x0F]) + octets[1:half] if odd else octets[:half]

    def round_of(number, octets):
        return _aes(key, octets + bytes(14 - half) + bytes([len(text), number]))

    left, right = left_of(text), right_of(text[-half:])
    for number in (1, 3):
        right = _xor(right, right_of(round_of(number, left)))
        left = _xor(left, left_of(round_of(number + 1, right)))
    return left[:-1] + bytes([left[-1] | right[0]]) + right[1:] if odd else left + right


def connection_id(rotation: int, server_id: bytes, nonce: bytes, key: bytes = b"", low_bits: int = None) -> bytes:
    """low_bits: of the first octet; by default the length of the rest."""
    text = server_id + nonce
    first = rotation << 5 | (len(text) if low_bits is None else low_bits)
    if key:
        text = _aes(key, text) if len(text) == 16 else _four_passes(key, text)
    return bytes([first]) + text


_DRAFT_KEY = bytes.fromhex("8f95f09245765f80256934e50c66207f")
# Appendix B, and the worked example of section 5.4.2.
for _key, _server_id, _nonce, _expected in (
        (b"", "c4605e", "4504cc4f", "07c4605e4504cc4f"),
        (_DRAFT_KEY, "ed793a", "ee080dbf", "0720b1d07b359d3c"),
        (_DRAFT_KEY, "ed793a51d49b8f5fab65", "ee080dbf48", "2fcc381bc74cb4fbad2823a3d1f8fed2"),
        (_DRAFT_KEY, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", "504dd2d05a7b0de9b2b9907afb5ecf8cc3"),
        (_DRAFT_KEY, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d", "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc"),
        (bytes.fromhex("fdf726a9893ec05c0632d3956680baf0"), "31441a", "9c69c275", "0767947d29be054a")):
    assert connection_id(int(_expected[0], 16) >> 1, bytes.fromhex(_server_id), bytes.fromhex(_nonce), _key,
                         int(_expected[:2], 16) & 31).hex() == _expected
