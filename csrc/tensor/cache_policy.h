// How long the allocator's cache keeps a large block that nobody asks for.
#pragma once

namespace taeda {

// Blocks of 2 MiB and more that have been free for longer go back to the system at one of the next large allocations (it is looked
// at most once in a quarter of that time). 30 to begin with: longer than a step of training, shorter than a phase of a program.
void set_cache_idle_seconds(double seconds);

}  // namespace taeda
