"""The engine: any WebAssembly guest, a fresh instance for every event. The only folder that knows wasmtime."""
