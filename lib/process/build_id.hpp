#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct dl_phdr_info;

namespace coproc::process {

/// What tells two builds of a module apart, besides its path: the linker's build-id, or, for a
/// module without one, device, inode, size and time of modification of its file.
using build_id = std::vector<std::byte>;

/// The build-id among ELF notes; empty if there is none or the notes are malformed. `alignment` is
/// the segment's (4 or 8). Pure.
[[nodiscard]] build_id find_build_id(std::span<const std::byte> notes, std::size_t alignment);

/// The build-id of a loaded module, from its memory; empty if it has none.
[[nodiscard]] build_id build_id_of(const dl_phdr_info& module);

/// The build-id in an ELF file. Empty: it has none. Nothing: the file is unreadable or no ELF file
/// of this machine's kind.
[[nodiscard]] std::optional<build_id> build_id_of_file(const std::string& path);

/// Device, inode, size and time of modification of a file, packed; all zero if there is no such
/// file.
[[nodiscard]] build_id stamp_of_file(const std::string& path);

} // namespace coproc::process
