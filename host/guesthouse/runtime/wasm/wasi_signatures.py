"""Every function of WASI preview 1 with its type, offered or not: modules name many that they never call.

Source: ``wasi_snapshot_preview1.witx``, lowered to core types; a test compares it with the engine's own WASI.
"""

from types import MappingProxyType
from typing import Final

from guesthouse.abi.contract import Signature

WASI_MODULE: Final = "wasi_snapshot_preview1"


def _of(params: str, results: str = "i32") -> Signature:
    return tuple(params.split()), tuple(results.split())


WASI_SIGNATURES: Final = MappingProxyType[str, Signature](
    {
        "args_get": _of("i32 i32"),
        "args_sizes_get": _of("i32 i32"),
        "environ_get": _of("i32 i32"),
        "environ_sizes_get": _of("i32 i32"),
        "clock_res_get": _of("i32 i32"),
        "clock_time_get": _of("i32 i64 i32"),
        "fd_advise": _of("i32 i64 i64 i32"),
        "fd_allocate": _of("i32 i64 i64"),
        "fd_close": _of("i32"),
        "fd_datasync": _of("i32"),
        "fd_fdstat_get": _of("i32 i32"),
        "fd_fdstat_set_flags": _of("i32 i32"),
        "fd_fdstat_set_rights": _of("i32 i64 i64"),
        "fd_filestat_get": _of("i32 i32"),
        "fd_filestat_set_size": _of("i32 i64"),
        "fd_filestat_set_times": _of("i32 i64 i64 i32"),
        "fd_pread": _of("i32 i32 i32 i64 i32"),
        "fd_prestat_get": _of("i32 i32"),
        "fd_prestat_dir_name": _of("i32 i32 i32"),
        "fd_pwrite": _of("i32 i32 i32 i64 i32"),
        "fd_read": _of("i32 i32 i32 i32"),
        "fd_readdir": _of("i32 i32 i32 i64 i32"),
        "fd_renumber": _of("i32 i32"),
        "fd_seek": _of("i32 i64 i32 i32"),
        "fd_sync": _of("i32"),
        "fd_tell": _of("i32 i32"),
        "fd_write": _of("i32 i32 i32 i32"),
        "path_create_directory": _of("i32 i32 i32"),
        "path_filestat_get": _of("i32 i32 i32 i32 i32"),
        "path_filestat_set_times": _of("i32 i32 i32 i32 i64 i64 i32"),
        "path_link": _of("i32 i32 i32 i32 i32 i32 i32"),
        "path_open": _of("i32 i32 i32 i32 i32 i64 i64 i32 i32"),
        "path_readlink": _of("i32 i32 i32 i32 i32 i32"),
        "path_remove_directory": _of("i32 i32 i32"),
        "path_rename": _of("i32 i32 i32 i32 i32 i32"),
        "path_symlink": _of("i32 i32 i32 i32 i32"),
        "path_unlink_file": _of("i32 i32 i32"),
        "poll_oneoff": _of("i32 i32 i32 i32"),
        "proc_exit": _of("i32", results=""),
        "proc_raise": _of("i32"),
        "sched_yield": _of(""),
        "random_get": _of("i32 i32"),
        "sock_accept": _of("i32 i32 i32"),
        "sock_recv": _of("i32 i32 i32 i32 i32 i32"),
        "sock_send": _of("i32 i32 i32 i32 i32"),
        "sock_shutdown": _of("i32 i32"),
    },
)
"""In the order of the specification's groups: arguments, clocks, files, paths, polling, process, sockets."""
