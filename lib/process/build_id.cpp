#include "process/build_id.hpp"

#include "process/unique_fd.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

namespace coproc::process {
namespace {

constexpr std::size_t round_up(std::size_t size, std::size_t alignment) noexcept {
    return (size + alignment - 1) / alignment * alignment;
}

bool lies_in_memory(const dl_phdr_info& module, const ElfW(Phdr) & notes) noexcept {
    return std::any_of(
        module.dlpi_phdr, module.dlpi_phdr + module.dlpi_phnum, [&](const ElfW(Phdr) & segment) {
            return segment.p_type == PT_LOAD && (segment.p_flags & PF_R) != 0 &&
                   notes.p_vaddr >= segment.p_vaddr &&
                   notes.p_vaddr + notes.p_memsz <= segment.p_vaddr + segment.p_memsz;
        });
}

bool read_exactly(int file, std::uint64_t offset, std::span<std::byte> destination) noexcept {
    return ::pread(file, destination.data(), destination.size(), static_cast<off_t>(offset)) ==
           static_cast<ssize_t>(destination.size());
}

bool is_of_this_machine(const ElfW(Ehdr) & header) noexcept {
    return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
           header.e_ident[EI_CLASS] == (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32) &&
           header.e_phentsize == sizeof(ElfW(Phdr));
}

} // namespace

build_id find_build_id(std::span<const std::byte> notes, std::size_t alignment) {
    alignment = alignment == 8 ? 8 : 4;
    ElfW(Nhdr) header;
    while (notes.size() >= sizeof header) {
        std::memcpy(&header, notes.data(), sizeof header);
        const std::size_t name_at = sizeof header;
        const std::size_t value_at = round_up(name_at + std::size_t{header.n_namesz}, alignment);
        const std::size_t value_end = value_at + std::size_t{header.n_descsz};
        if (value_end > notes.size()) {
            break;
        }
        if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == sizeof ELF_NOTE_GNU &&
            std::memcmp(notes.data() + name_at, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
            return {notes.begin() + static_cast<std::ptrdiff_t>(value_at),
                    notes.begin() + static_cast<std::ptrdiff_t>(value_end)};
        }
        notes = notes.subspan(std::min(round_up(value_end, alignment), notes.size()));
    }
    return {};
}

build_id build_id_of(const dl_phdr_info& module) {
    for (std::size_t i = 0; i < module.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = module.dlpi_phdr[i];
        if (segment.p_type != PT_NOTE || !lies_in_memory(module, segment)) {
            continue;
        }
        const auto* begin = reinterpret_cast<const std::byte*>(module.dlpi_addr + segment.p_vaddr);
        if (build_id found = find_build_id({begin, segment.p_memsz}, segment.p_align);
            !found.empty()) {
            return found;
        }
    }
    return {};
}

std::optional<build_id> build_id_of_file(const std::string& path) {
    constexpr std::size_t largest_notes_bytes = 64 * 1024;
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ElfW(Ehdr) header;
    if (!file || !read_exactly(file.get(), 0, std::as_writable_bytes(std::span(&header, 1))) ||
        !is_of_this_machine(header)) {
        return std::nullopt;
    }
    std::vector<ElfW(Phdr)> segments(header.e_phnum);
    if (!read_exactly(file.get(), header.e_phoff, std::as_writable_bytes(std::span(segments)))) {
        return std::nullopt;
    }
    for (const ElfW(Phdr) & segment : segments) {
        if (segment.p_type != PT_NOTE || segment.p_filesz > largest_notes_bytes) {
            continue;
        }
        std::vector<std::byte> notes(segment.p_filesz);
        if (!read_exactly(file.get(), segment.p_offset, notes)) {
            return std::nullopt;
        }
        if (build_id found = find_build_id(notes, segment.p_align); !found.empty()) {
            return found;
        }
    }
    return build_id{};
}

build_id stamp_of_file(const std::string& path) {
    struct stat information {};
    std::uint64_t stamp[5] = {};
    if (::stat(path.c_str(), &information) == 0) {
        stamp[0] = information.st_dev;
        stamp[1] = information.st_ino;
        stamp[2] = static_cast<std::uint64_t>(information.st_size);
        stamp[3] = static_cast<std::uint64_t>(information.st_mtim.tv_sec);
        stamp[4] = static_cast<std::uint64_t>(information.st_mtim.tv_nsec);
    }
    const auto bytes = std::as_bytes(std::span(stamp));
    return {bytes.begin(), bytes.end()};
}

} // namespace coproc::process
