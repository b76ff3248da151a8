"""How a loader works: `fetch` gets samples, `collate` makes a batch of them, `in_memory` does both at once for tensors;
`worker` is a worker process's loop, `transport` what travels from it, `processes` the loader's side of it."""

# How often, in seconds, a waiting process looks whether its counterpart is still alive.
MP_STATUS_CHECK_INTERVAL = 5.0
