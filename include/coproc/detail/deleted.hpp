#pragma once

/// Ends the declaration of a deleted function, on the same line: with a sentence for who calls it
/// where the language knows such, and elsewhere as text on the line that compilers print.
#if defined(__cpp_deleted_function)
#define COPROC_DELETE(sentence) = delete (sentence)
#else
#define COPROC_DELETE(sentence) = delete
#endif
