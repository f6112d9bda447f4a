"""The error tree, cut by who can mend it.

::

    GuesthouseError
    |- CallerError            whoever sent the request: answered 4xx
    |  |- Malformed           400: it can't be read
    |  |- TooLarge            413; 400 where Segment's clients expect that
    |  |- TooSlow             408: it took too long to arrive
    |  |- WrongMedia          415
    |  |- Unauthenticated     401: no key or token, or an unknown one
    |  |- Forbidden           403: the token may only read
    |  |- InvalidInput        422, with every problem
    |  |- NotFound            404; another tenant's things are not found either
    |  |- NameTaken           409
    |  |- InUse               409
    |  |- NoEarlierVersion    409
    |  |- QueryTooBroad       422
    |  |- QuotaReached        409
    |  `- TenantFull          429: the tenant's queue is full for now
    |- FunctionError          the function's author: recorded on the attempt
    |  |- RejectedModule      refused at upload
    |  |- BrokenContract      the guest spoke outside the contract (ABI v1)
    |  |- Trapped             the engine stopped the guest
    |  |- FuelExhausted
    |  |- MemoryExhausted
    |  |- DeadlineExceeded    the only one that may succeed when repeated unchanged
    |  |- OutputTooLarge
    |  |- TooManyCalls
    |  `- CapabilityDenied    a guest that goes on ignoring refusals
    `- OperatorError          whoever runs the host: the work is kept
       |- UnfitEngine         the wasmtime library isn't one that we know
       |- NoSlot              every instance slot is taken
       |- StorageFault        the database or the disk
       |- UnreadableSecret    the key is another one
       |- MissingModule       a version's file is gone
       `- EngineClosed

Each class has a stable ``code``, says whether the same work may succeed later, takes facts and writes its own message.
A bug in Guesthouse is none of these.
"""

from guesthouse.errors.base import GuesthouseError
from guesthouse.errors.caller import (
    CallerError,
    Forbidden,
    InUse,
    InvalidInput,
    Malformed,
    NameTaken,
    NoEarlierVersion,
    NotFound,
    QueryTooBroad,
    QuotaReached,
    TenantFull,
    TooLarge,
    TooSlow,
    Unauthenticated,
    WrongMedia,
)
from guesthouse.errors.function import (
    BrokenContract,
    CapabilityDenied,
    DeadlineExceeded,
    Frame,
    FuelExhausted,
    FunctionError,
    MemoryExhausted,
    OutputTooLarge,
    RejectedModule,
    TooManyCalls,
    Trapped,
)
from guesthouse.errors.operator import (
    EngineClosed,
    MissingModule,
    NoSlot,
    OperatorError,
    StorageFault,
    UnfitEngine,
    UnreadableSecret,
)

__all__ = [
    "BrokenContract",
    "CallerError",
    "CapabilityDenied",
    "DeadlineExceeded",
    "EngineClosed",
    "Forbidden",
    "Frame",
    "FuelExhausted",
    "FunctionError",
    "GuesthouseError",
    "InUse",
    "InvalidInput",
    "Malformed",
    "MemoryExhausted",
    "MissingModule",
    "NameTaken",
    "NoEarlierVersion",
    "NoSlot",
    "NotFound",
    "OperatorError",
    "OutputTooLarge",
    "QueryTooBroad",
    "QuotaReached",
    "RejectedModule",
    "StorageFault",
    "TenantFull",
    "TooLarge",
    "TooManyCalls",
    "TooSlow",
    "Trapped",
    "Unauthenticated",
    "UnfitEngine",
    "UnreadableSecret",
    "WrongMedia",
]
