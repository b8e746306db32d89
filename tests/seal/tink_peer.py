"""Google's own implementation of our sealed format: `tink`, with a raw key put into a keyset by hand."""

from __future__ import annotations

import io

import tink
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

streaming_aead.register()


def primitive(data_key: bytes) -> streaming_aead.StreamingAead:
    """AES256_GCM_HKDF_1MB with this key: its only parameters are those of Tink's template of that name."""
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=1 << 20, derived_key_size=32, hkdf_hash_type=common_pb2.HashType.SHA256
    )
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=params, key_value=data_key)
    data = tink_pb2.KeyData(
        type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
        value=key.SerializeToString(),
        key_material_type=tink_pb2.KeyData.KeyMaterialType.SYMMETRIC,
    )
    only = tink_pb2.Keyset.Key(
        key_data=data,
        status=tink_pb2.KeyStatusType.ENABLED,
        key_id=1,
        output_prefix_type=tink_pb2.OutputPrefixType.RAW,
    )
    keyset = tink_pb2.Keyset(primary_key_id=1, key=[only]).SerializeToString()
    handle = tink.proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


def seal(plain: bytes, data_key: bytes, clip_id: str) -> bytes:
    class Kept(io.BytesIO):
        def close(self) -> None:  # tink closes what it writes to
            self.kept = self.getvalue()
            super().close()

    out = Kept()
    with primitive(data_key).new_encrypting_stream(out, clip_id.encode()) as stream:
        stream.write(plain)
    return out.kept


def open_sealed(sealed: bytes, data_key: bytes, clip_id: str) -> bytes:
    """Raises tink.TinkError for anything that does not open."""
    with primitive(data_key).new_decrypting_stream(io.BytesIO(sealed), clip_id.encode()) as stream:
        return bytes(stream.read())
