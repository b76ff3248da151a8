// Where a tensor's memory is. `meta` tensors have everything but the data.
#pragma once

#include <cstdint>
#include <string>

namespace taeda {

enum class DeviceType : uint8_t { Cpu, Meta };

struct Device {
    DeviceType type = DeviceType::Cpu;
    int8_t index = -1;  // -1: not given

    bool operator==(const Device& other) const { return type == other.type && (index == other.index || index < 0 || other.index < 0); }
    bool is_cpu() const { return type == DeviceType::Cpu; }
    bool is_meta() const { return type == DeviceType::Meta; }
    std::string str() const {
        std::string name = is_cpu() ? "cpu" : "meta";
        return index < 0 ? name : name + ":" + std::to_string(index);
    }
};

enum class MemoryFormat : uint8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };

}  // namespace taeda
