"""WebAssembly modules as bytes: parsed, judged, scanned and rewritten by pure functions, without an engine."""
