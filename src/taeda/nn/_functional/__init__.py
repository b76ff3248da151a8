"""The families of nn.functional: each file composes its functions from public tensor operations and primitives."""
