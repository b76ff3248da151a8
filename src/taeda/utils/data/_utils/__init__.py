"""How a loader works: `fetch` gets samples, `collate` makes a batch of them, `in_memory` does both at once for tensors;
`worker` is what a worker knows, `worker_process` its loop, `transport` what it sends, `processes` the loader's side."""

# How often, in seconds, a waiting process looks whether its counterpart is still alive.
MP_STATUS_CHECK_INTERVAL = 5.0
