#include "symbols/symbols.hpp"

#include "process/modules.hpp"
#include "symbols/readable_name.hpp"
#include "symbols/symbol_file.hpp"

#include <charconv>

namespace coproc::symbols {
namespace {

std::string hexadecimal(std::uint64_t number) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
    return "0x" + std::string(digits, end);
}

std::string nameless(const std::string& path, std::uint64_t offset) {
    return path.substr(path.rfind('/') + 1) + "+" + hexadecimal(offset);
}

// The innermost of the functions that were inlined at the place is the one a person looks for; the
// symbol table knows only the outermost.
std::string best_name(const symbol_file::answer& found) {
    const bool inlined = found.line_function.starts_with("_Z");
    const std::string& symbol =
        inlined || found.symbol.empty() ? found.line_function : found.symbol;
    return symbol.empty() ? std::string() : std::string(function_part(demangle(symbol.c_str())));
}

location complete(symbol_file::answer found, const std::string& path, std::uint64_t offset) {
    location place{best_name(found), std::move(found.file), found.line};
    if (place.function.empty()) {
        place.function = nameless(path, offset);
    }
    return place;
}

} // namespace

std::string function_name(const void* function) {
    const auto module = process::loaded_module::find_address(function);
    const auto address = reinterpret_cast<std::uintptr_t>(function);
    if (!module) {
        return hexadecimal(address);
    }
    const std::uint64_t offset = address - module->base();
    const std::string symbol = symbol_file::of(*module).symbol_at(offset);
    return symbol.empty() ? nameless(module->identity().path, offset)
                          : std::string(function_of_task(function_part(demangle(symbol.c_str()))));
}

location describe(const void* instruction) {
    const auto module = process::loaded_module::find_address(instruction);
    const auto address = reinterpret_cast<std::uintptr_t>(instruction);
    if (!module) {
        return {hexadecimal(address), {}, 0};
    }
    const std::uint64_t offset = address - module->base();
    return complete(symbol_file::of(*module).look_up(offset), module->identity().path, offset);
}

location describe(const std::string& module_path, std::uint64_t offset) {
    return complete(symbol_file::of(module_path).look_up(offset), module_path, offset);
}

location describe(const process::crash_frame& frame) {
    if (frame.here != nullptr) {
        return describe(frame.here);
    }
    if (frame.module.empty()) {
        return {hexadecimal(frame.offset), {}, 0};
    }
    return describe(frame.module, frame.offset);
}

std::string to_string(const location& place) {
    return place.file.empty()
               ? place.function
               : place.function + " at " + place.file + ":" + std::to_string(place.line);
}

} // namespace coproc::symbols
