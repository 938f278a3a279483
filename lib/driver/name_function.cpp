#include "driver/name_function.hpp"

#include "process/modules.hpp"

namespace coproc::detail {

const char* name_function(const target& what, wire::task_header& header) {
    if (what.invoke == nullptr) {
        header.invoker = what.signature;
        return what.exported.empty()                             ? "its name is empty"
               : what.exported.size() > wire::max_exported_bytes ? "its name is too long"
                                                                 : nullptr;
    }
    auto& modules = process::module_table::instance();
    const auto entry = modules.locate(reinterpret_cast<const void*>(what.invoke));
    const auto function = what.function != nullptr ? modules.locate(what.function) : entry;
    if (!entry || !function) {
        return "it lies in no executable or shared library of this process";
    }
    header.module = entry->module;
    header.invoker = entry->offset;
    if (what.function != nullptr) {
        header.function_module = function->module;
        header.function = function->offset;
    }
    return nullptr;
}

} // namespace coproc::detail
