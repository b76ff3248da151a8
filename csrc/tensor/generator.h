// The random number generator: mt19937, seeded and read as PyTorch's CPU generator, with interchangeable states.
//
// Not thread-safe: whoever draws holds the host's lock.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace taeda {

class Generator {
public:
    static constexpr uint64_t kDefaultSeed = 67280421310721;
    static constexpr size_t kStateBytes = 5056;

    explicit Generator(uint64_t seed = kDefaultSeed) { manual_seed(seed); }

    void manual_seed(uint64_t seed);
    uint64_t initial_seed() const { return seed_; }
    uint64_t seed();  // reseeds from the system's entropy; returns the new seed

    // PyTorch's layout of a CPU generator's state, byte by byte.
    std::array<uint8_t, kStateBytes> get_state() const;
    void set_state(std::span<const uint8_t> state);

    uint32_t random() {
        if (next_ == kWords) advance();
        return ready_[next_++];
    }
    uint64_t random64() {
        uint64_t high = random();
        return high << 32 | random();
    }
    float uniform_float() { return static_cast<float>(random() & 0xffffffu) * 0x1p-24f; }              // in [0, 1)
    double uniform_double() { return static_cast<double>(random64() & 0x1fffffffffffffu) * 0x1p-53; }  // in [0, 1)
    double normal();  // standard normal by Box and Muller; every second call uses up what the one before has kept

private:
    static constexpr uint32_t kWords = 624;

    void advance();  // the next 624 words
    void temper();

    uint64_t seed_ = 0;
    uint32_t next_ = kWords;  // the first word of ready_ that has not been used
    bool is_fresh_ = true;    // seeded, nothing drawn yet
    std::optional<double> kept_normal_;
    std::array<uint32_t, kWords> words_;
    std::array<uint32_t, kWords> ready_;  // words_ after tempering
};

// The one that operations draw from where none is given; seeded from the system's entropy at start.
Generator& default_generator();
inline Generator& generator_or_default(Generator* generator) { return generator ? *generator : default_generator(); }

}  // namespace taeda
