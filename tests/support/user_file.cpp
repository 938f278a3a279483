// Its entry in compile_commands.json tells compile_file.py how a user's file is compiled.
#include <coproc/version.hpp>
