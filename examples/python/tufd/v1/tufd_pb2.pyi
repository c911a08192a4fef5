import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    ALLOW: _ClassVar[Decision]
    DENY: _ClassVar[Decision]
DECISION_UNSPECIFIED: Decision
ALLOW: Decision
DENY: Decision

class VerifyImageRequest(_message.Message):
    __slots__ = ("reference", "digest", "media_type", "size")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    reference: str
    digest: str
    media_type: str
    size: int
    def __init__(self, reference: _Optional[str] = ..., digest: _Optional[str] = ..., media_type: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("decision", "reason", "text", "reference", "digest", "trust", "role_path", "keys", "versions", "expires", "generation", "would_be", "valid_until")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ExpiresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _timestamp_pb2.Timestamp
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    TRUST_FIELD_NUMBER: _ClassVar[int]
    ROLE_PATH_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    WOULD_BE_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    reason: str
    text: str
    reference: str
    digest: str
    trust: str
    role_path: _containers.RepeatedScalarFieldContainer[str]
    keys: _containers.RepeatedScalarFieldContainer[str]
    versions: _containers.ScalarMap[str, int]
    expires: _containers.MessageMap[str, _timestamp_pb2.Timestamp]
    generation: int
    would_be: Decision
    valid_until: _timestamp_pb2.Timestamp
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ..., reference: _Optional[str] = ..., digest: _Optional[str] = ..., trust: _Optional[str] = ..., role_path: _Optional[_Iterable[str]] = ..., keys: _Optional[_Iterable[str]] = ..., versions: _Optional[_Mapping[str, int]] = ..., expires: _Optional[_Mapping[str, _timestamp_pb2.Timestamp]] = ..., generation: _Optional[int] = ..., would_be: _Optional[_Union[Decision, str]] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetTrustRequest(_message.Message):
    __slots__ = ("trust",)
    TRUST_FIELD_NUMBER: _ClassVar[int]
    trust: str
    def __init__(self, trust: _Optional[str] = ...) -> None: ...

class TrustState(_message.Message):
    __slots__ = ("generation", "time", "version", "trusts")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TRUSTS_FIELD_NUMBER: _ClassVar[int]
    generation: int
    time: _timestamp_pb2.Timestamp
    version: str
    trusts: _containers.RepeatedCompositeFieldContainer[TrustEntry]
    def __init__(self, generation: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[str] = ..., trusts: _Optional[_Iterable[_Union[TrustEntry, _Mapping]]] = ...) -> None: ...

class TrustEntry(_message.Message):
    __slots__ = ("name", "trust_domain", "epoch", "reason", "text", "anchor", "root", "roles", "sources", "last_refresh", "last_error", "next_refresh", "warnings")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TRUST_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    LAST_REFRESH_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    NEXT_REFRESH_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    trust_domain: str
    epoch: int
    reason: str
    text: str
    anchor: Anchor
    root: Root
    roles: _containers.RepeatedCompositeFieldContainer[Role]
    sources: _containers.RepeatedCompositeFieldContainer[Source]
    last_refresh: _timestamp_pb2.Timestamp
    last_error: str
    next_refresh: _timestamp_pb2.Timestamp
    warnings: _containers.RepeatedCompositeFieldContainer[Warning]
    def __init__(self, name: _Optional[str] = ..., trust_domain: _Optional[str] = ..., epoch: _Optional[int] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ..., anchor: _Optional[_Union[Anchor, _Mapping]] = ..., root: _Optional[_Union[Root, _Mapping]] = ..., roles: _Optional[_Iterable[_Union[Role, _Mapping]]] = ..., sources: _Optional[_Iterable[_Union[Source, _Mapping]]] = ..., last_refresh: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_error: _Optional[str] = ..., next_refresh: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[Warning, _Mapping]]] = ...) -> None: ...

class Warning(_message.Message):
    __slots__ = ("code", "text")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    code: str
    text: str
    def __init__(self, code: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Anchor(_message.Message):
    __slots__ = ("state", "since", "threshold", "keys", "skipped", "least_root_version", "confirmed", "withdraws")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    LEAST_ROOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWS_FIELD_NUMBER: _ClassVar[int]
    state: str
    since: _timestamp_pb2.Timestamp
    threshold: int
    keys: _containers.RepeatedCompositeFieldContainer[AnchorKey]
    skipped: int
    least_root_version: int
    confirmed: _timestamp_pb2.Timestamp
    withdraws: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., threshold: _Optional[int] = ..., keys: _Optional[_Iterable[_Union[AnchorKey, _Mapping]]] = ..., skipped: _Optional[int] = ..., least_root_version: _Optional[int] = ..., confirmed: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., withdraws: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AnchorKey(_message.Message):
    __slots__ = ("fingerprint", "algorithm", "in_root", "covers")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    IN_ROOT_FIELD_NUMBER: _ClassVar[int]
    COVERS_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    algorithm: str
    in_root: bool
    covers: bool
    def __init__(self, fingerprint: _Optional[str] = ..., algorithm: _Optional[str] = ..., in_root: _Optional[bool] = ..., covers: _Optional[bool] = ...) -> None: ...

class Root(_message.Message):
    __slots__ = ("version", "expires", "threshold", "keys", "covered", "covering")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    COVERED_FIELD_NUMBER: _ClassVar[int]
    COVERING_FIELD_NUMBER: _ClassVar[int]
    version: int
    expires: _timestamp_pb2.Timestamp
    threshold: int
    keys: _containers.RepeatedScalarFieldContainer[str]
    covered: bool
    covering: int
    def __init__(self, version: _Optional[int] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., threshold: _Optional[int] = ..., keys: _Optional[_Iterable[str]] = ..., covered: _Optional[bool] = ..., covering: _Optional[int] = ...) -> None: ...

class Role(_message.Message):
    __slots__ = ("name", "version", "expires", "threshold", "keys", "delegator")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    DELEGATOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    expires: _timestamp_pb2.Timestamp
    threshold: int
    keys: _containers.RepeatedScalarFieldContainer[str]
    delegator: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., threshold: _Optional[int] = ..., keys: _Optional[_Iterable[str]] = ..., delegator: _Optional[str] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("url", "error", "last_answer")
    URL_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LAST_ANSWER_FIELD_NUMBER: _ClassVar[int]
    url: str
    error: str
    last_answer: _timestamp_pb2.Timestamp
    def __init__(self, url: _Optional[str] = ..., error: _Optional[str] = ..., last_answer: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RefreshRequest(_message.Message):
    __slots__ = ("trust",)
    TRUST_FIELD_NUMBER: _ClassVar[int]
    trust: str
    def __init__(self, trust: _Optional[str] = ...) -> None: ...

class RefreshResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RefreshResult]
    def __init__(self, results: _Optional[_Iterable[_Union[RefreshResult, _Mapping]]] = ...) -> None: ...

class RefreshResult(_message.Message):
    __slots__ = ("trust", "error", "changed", "generation", "versions")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    TRUST_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    trust: str
    error: str
    changed: bool
    generation: int
    versions: _containers.ScalarMap[str, int]
    def __init__(self, trust: _Optional[str] = ..., error: _Optional[str] = ..., changed: _Optional[bool] = ..., generation: _Optional[int] = ..., versions: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ResetTimeFloorRequest(_message.Message):
    __slots__ = ("trust",)
    TRUST_FIELD_NUMBER: _ClassVar[int]
    trust: str
    def __init__(self, trust: _Optional[str] = ...) -> None: ...

class ResetTimeFloorResponse(_message.Message):
    __slots__ = ("trust", "before")
    TRUST_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    trust: str
    before: _timestamp_pb2.Timestamp
    def __init__(self, trust: _Optional[str] = ..., before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
