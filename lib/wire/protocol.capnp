@0xd1c7a5f0b3e86294;

# The protocol between an executor and one of its workers. This file is its specification.
#
# The connection
# --------------
# Each worker has one private AF_UNIX stream socket, one end held by the executor ("parent"), the
# other by the worker, and one shared page (lib/memory/shared_page.hpp). Nobody else holds either.
# What travels on the socket is a sequence of frames. The reply ring of the shared page holds frames
# of the same form.
#
# The frame
# ---------
#     offset 0    UInt32   envelope size in bytes: a multiple of 8, at most 64 KiB
#     offset 4    UInt32   zero
#     offset 8    UInt64   payload size in bytes
#     offset 16   envelope: one Cap'n Proto segment without segment table, then zeros up to a
#                 multiple of 16
#     then        payload: the bytes that a codec wrote, then zeros up to a multiple of 16
#
# All numbers are little-endian. A frame begins at a multiple of 16 of the stream, so payloads are
# aligned to 16 in any buffer that is. The receiver does not look at the zeros after envelope and
# payload. A frame whose two sizes are zero is a doorbell: it carries nothing and says "look at the
# shared page". A payload without an envelope is malformed.
#
# The whole frame is at most max_message_bytes long; who receives a longer one treats the connection
# as broken. A frame that cannot be parsed breaks the connection; a payload that cannot be decoded
# costs only its task, because the envelope that names the task is readable without it. A union
# member or an enumerant that the receiver does not know is no better than a malformed envelope.
#
# Texts for people (a task's name, a failure's text, a log) are cut to 4096 bytes by who sends them.
# Those of a worker may come from whoever has taken it over: show them as data.
#
# Who sends what
# --------------
#     worker, first    hello, once, before anything else; or log and the end of the stream if the
#                      worker cannot serve
#     parent           nothing before the worker's hello was accepted; then module, extent,
#                      forgetExtent, task, cleanUp and requestExit; to a zygote module, task (of
#                      initializers), forkDescriptor and fork
#     worker           reply and progress (ring or socket), doorbell, cleaned and log (socket)
#
# Initializers
# ------------
# Between hello and the first task the parent may send task frames that are marked as initializers,
# after which it waits until each is answered. They have no slots, and sequence numbers of their
# own, from 0. A worker that has answered one with anything but `value` is killed.
#
# Tasks and sequence numbers
# --------------------------
# The n-th task frame on a connection, counted from 0, has sequence number n; no frame says so.
# Before the parent stages a task frame it stores (n, offered) in slot n mod K of the shared page.
# The worker takes a task only by changing that slot from (n, offered) to (n, begun); if it cannot,
# the task was recalled: it skips the frame and decodes nothing. It stores (n, finished) when the
# function has returned or thrown, before it encodes the reply.
#
# A slot may be used for number n + K once the task with number n is settled: answered, recalled, or
# judged after the worker's death. The frame of a recalled task may still lie in the pipe then: the
# worker finds another number in the slot and skips it. The `id` of a task is the executor's own
# number for it, never used again during the executor's life; it serves messages and
# this_task::id(), never matching.
#
# Functions
# ---------
# A task names its function in one of two ways. By address: `invoker` in `module`, and `function` in
# `functionModule`; both must lie in executable segments of modules that the worker has, or can load
# by their path and find to be the same build. By name, for workers that are another program:
# `exported`, a name that the worker has in its list of exported functions, and in `invoker` a hash
# of what parameters and result look like in messages, which must be the one in that list. If
# anything of this fails, the answer is `unknownFunction`, whose text says what failed.
#
# Replies
# -------
# A worker answers each task that it has begun exactly once, with the task's sequence number, and
# completely before it begins another one. A reply goes into the reply ring if there is room for it
# now and it is no larger than a quarter of the ring, else over the socket. The ring holds replies
# and progress and nothing else, one frame after the other, each wrapping around the end where it
# meets it, and only whole frames are published. After publishing one the worker sends a doorbell if the parent
# has armed the bell. A doorbell may come late: when the parent has found the replies by itself, it
# means nothing.
#
# The parent drains the ring before it takes a reply from the socket, so that it misses none that
# came earlier. It may find later ones there as well: a worker that has sent a reply over the socket
# goes on. Replies are therefore matched by sequence number and never by their order.
#
# What one task sends arrives in the order in which it was sent, its reply last: its frames go into
# the ring until one goes over the socket, and from then on all of them go over the socket. As the
# parent drains the ring before it takes what came over the socket, none is overtaken.
#
# Chunks
# ------
# A task may stand for several elements of a map: its payload begins with chunk_head, then comes
# what all calls share (the function's state, bound values), then a record for each element
# (include/coproc/detail/chunk.hpp, records.hpp). The worker runs the elements in order, from the
# first that the head names, and gives a record for each: its value, or how it failed. A task named
# by an exported name says by the complement of the signature's hash that it is a chunk.
#
# The records may come in several replies. Those before the last are `part`: they settle nothing but
# the elements whose results they hold, at least one, and the task goes on. The last reply is
# `value` and holds the rest, or a failure that is about all elements that are left. In the word
# `chunk_step` of the shared page the worker says which element it is at (lib/memory/chunk_step.hpp).
#
# Progress
# --------
# A task whose arguments contain sinks, at most 16 different ones, may report values through them
# while it runs: one progress frame each, with the task's sequence number and the number of the sink.
# In the arguments, a sink is its number (UInt16), whether the task shall wait (a bool) and how many
# values may be held back for it (UInt64). The elements of a chunk share their sinks.
#
# The parent keeps as many values as the reader of the progress has asked for, however many come.
# Without waiting, a worker that finds no room at the moment holds values back, and drops the oldest
# of them beyond the number in the sink: how many it has dropped before a value stands in its frame.
# What is held back when the function has ended is sent before the reply. With waiting, the worker
# goes on with the task when the value is settled: the acceptance word of the sink in the shared page,
# which the parent writes, says how many values of the task are, and whether values are still wanted
# at all (lib/memory/acceptances.hpp). It stops waiting, too, when the task is asked to stop and when
# the parent has closed the socket. A worker that does not wait where it should loses the values that
# have no place: the parent keeps one of them for each sink.
#
# Progress of a task that the worker does not have, or through a sink that the task was not given,
# breaks the protocol. Progress of a task that was given up is thrown away. A payload that cannot be
# decoded costs its value.
#
# Memory
# ------
# The parent may ask a worker that has answered a task to clean up, once at a time; it does so after
# the first task, to know what that has left. As all commands this one is obeyed in its turn, so
# between tasks. A worker with no more private memory than the command says only answers. Another
# one gives back what its allocator holds free, and if that does not suffice calls the hooks of its
# tasks. The answer says what is left. The worker measures that itself because nobody else knows
# when it has no task; one that lies is not replaced for its memory, but any measure of the parent's
# that exceeds the hard limit kills it.
#
# Arrays
# ------
# A shared array lies in an extent: a memfd of the parent's, sealed against a change of its size and
# against new mappings that can be written to. In a task's arguments the array is a reference of four
# UInt64: the number of the extent, the number of the array, the offset in the extent, and the number
# of bytes; four zeros are an array without elements. In place of a sequence the reference comes after
# a number of elements that has all bits set. The worker believes no reference: one that leads out of
# the extent, or to none, makes the arguments undecodable. A worker that is a thread of the parent is
# sent no extents, and finds arrays by their number.
#
# The first task of a connection that refers to an extent comes after a frame `extent`, whose
# descriptor (SCM_RIGHTS) comes with the first byte of that frame; to a worker nothing else brings one. The
# worker maps the extent for reading and closes the descriptor. If the descriptor was lost (there were
# too many open files), tasks that refer to the extent fail with `decode`. After forgetExtent no task
# refers to it, and its memory is free when all workers have let go of it.
#
# The parent puts nothing else where an array lies as long as a task that refers to it lies unanswered
# in the pipe of a worker that is not dead, also if nobody waits for the answer any more.
#
# Zygotes
# -------
# A zygote is a process of the program that forks workers. It has a socket and a shared page as a
# worker has, and says hello first. Then the parent may send it initializers, which it runs and
# answers as a worker does, but over the socket; these are what its workers shall share. It begins no
# thread: with one, the initializer that began it has failed, and a zygote that has one before its
# hello says so in a log and ends.
#
# After that it is sent orders, `fork`, each after two or four frames `forkDescriptor`: the new
# worker's end of its socket, its page and, if they are captured, its standard output and error. The
# payload of the order is what the worker shall have of its own (lib/process/fork_settings.hpp).
#
# The forked process is the parent's child, not the zygote's. It takes its settings, and answers the
# order with `forked` over the zygote's socket, as the last that it does with that: with its pid, and
# with a text if it is no worker, whereupon it ends. Only then it leaves the zygote's process group
# for one of its own. So after SIGKILL for the zygote's group, each forked process has either answered,
# or dies in that group, where the parent finds it. If nothing could be forked, the zygote answers, with
# pid 0. Then the worker says hello on its own socket, and is a worker as any other.
#
# Death
# -----
# Whatever the worker wrote to the ring or the socket before it died still counts: once the worker
# is certainly dead, the parent drains both. Only then does it judge each unanswered task by its
# slot: offered - it never began and goes to another worker; finished - it ran and its result is
# lost; begun or anything else - it may have run. What is lost with a worker is the one task that it
# was running; of a chunk, the one element, and results that were not sent. The rest of a chunk goes
# to another worker as the same task, whose head names the first element that is left. A frame of which only a part arrived is not there.
#
# Versions
# --------
# The version below goes up with every change that an older peer would misread, and with every change
# of what an invoker is called with. Versions are compared for equality: the worker may be another
# program, but of the same library.
#
#     1    the first
#     2    a task may name an exported function in place of an address
#     3    chunks: several elements of a map in one task, whose results may come in parts
#     4    progress: what a task reports while it runs
#     5    initializers; a worker may ask to be replaced
#     6    a worker cleans up between tasks
#     7    arrays: memory that the worker can read
#     8    zygotes, which fork workers

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("coproc::protocol");

const protocolVersion :UInt32 = 8;

# From parent to worker.
struct Command {
  union {
    task :group {
      id @0 :UInt64;
      # The executor's number for the task.
      module @1 :UInt32;
      # The module (see below) that holds the invoker.
      functionModule @2 :UInt32;
      # The module that holds the function pointer, if `function` is not 0.
      invoker @3 :UInt64;
      # Where the invoker is: its offset from the module's load address; or see `exported`.
      function @4 :UInt64;
      # Offset of the function that the invoker shall call; 0 if the invoker knows it.
      deadline @5 :Int64;
      # When the answer is of no use any more, in nanoseconds of CLOCK_MONOTONIC; the largest value:
      # never.
      runLimit @6 :Int64;
      # How long the function may run, in nanoseconds; the largest value: for ever.
      name @7 :Text;
      # The task's name, if it was given one.
      exported @12 :Text;
      # If present and not empty: the function is the one that the worker exports by this name, at
      # most 1024 bytes long. `invoker` is then the hash of its signature, and `module`,
      # `functionModule` and `function` are 0.
      initializer @13 :Bool;
      # It is an initializer (see above) and no task.
    }
    # Runs a function; the payload holds its arguments.

    module :group {
      number @8 :UInt32;
      path @9 :Text;
      buildId @10 :Data;
    }
    # Names a module (the executable or a shared library) by a number that later task frames on this
    # connection use. Sent before the first task that needs it. Number 0 is the parent's executable:
    # also the worker's, and then never sent, if the two have the same build-id. A worker of another
    # program does not load it; tasks that need it fail with unknownFunction. Two modules are the same if path and build-id are; a module without
    # build-id is told by path, device, inode, size and time of modification, packed into buildId.

    requestExit @11 :Void;
    # No task follows. The worker leaves when it has answered what it has begun.

    cleanUp @14 :UInt64;
    # See "Memory". The number is that of bytes which the worker may have.

    extent :group {
      number @15 :UInt64;
      # From 1 on, and never used again by the parent.
      bytes @16 :UInt64;
      inode @17 :UInt64;
      # Of the memfd: a descriptor that arrives may belong to another frame if one was lost.
    }
    # Memory that arrays of later tasks lie in.

    forgetExtent @18 :UInt64;
    # No later task refers to this extent.

    forkDescriptor @19 :Void;
    fork :group {
      nonce @20 :UInt64;
      # For the hello of the forked worker.
      number @21 :UInt32;
      # Of the order.
      slot @22 :UInt32;
      # The worker's place in its executor.
    }
    # See "Zygotes".
  }
}

# From worker to parent.
struct Report {
  sequence @0 :UInt64;
  # Reply and progress: which task.
  union {
    value @1 :Void;
    # The function returned; the payload holds what.

    failed :group {
      stage @2 :Stage;
      text @3 :Text;
      # For a person: what went wrong. Empty for `threw`, but not of an initializer.
    }
    # There is no value. For `threw` the payload is a message whose root is `Thrown`, or empty if
    # the exception could not be encoded at all.

    hello @4 :Hello;
    # The worker can be sent initializers, or tasks if there are none.

    log @5 :Text;
    # For a person: why the worker cannot serve.

    part @6 :Void;
    # The task is a chunk and goes on; the payload holds the results of its next elements.

    progress :group {
      sink @7 :UInt16;
      # Which of the task's sinks.
      skipped @8 :UInt32;
      # So many values were dropped since the one before.
    }
    # The task goes on; the payload holds what it reported.

    retire @9 :Void;
    # The task has asked that its worker be replaced: the worker begins none after it. Sent before
    # the task's reply, the same way.

    cleaned @10 :UInt32;
    # The answer to cleanUp, over the socket: the KiB of private memory that the worker has now, at
    # most the greatest number; 0: it cannot tell.

    forked :group {
      pid @11 :Int32;
      text @12 :Text;
    }
    # See "Zygotes". The sequence is the number of the order.
  }
}

enum Stage {
  unknownFunction @0;
  # The module is not there, or the address is not in its code. The function did not run.
  decode @1;
  # The arguments could not be decoded. The function did not run.
  threw @2;
  # The function ended with an exception.
  encode @3;
  # The function returned, but its result could not be encoded.
  tooLarge @4;
  # The function returned, but its result exceeds max_message_bytes.
}

struct Hello {
  protocolVersion @0 :UInt32;
  pid @1 :Int32;
  nonce @2 :UInt64;
  # The number that the parent gave to the process that it started: a connection inherited by some
  # other process does not know it.
  buildId @3 :Data;
  # Of the executable, so that a binary replaced on disk is an error and not undefined behaviour.
  # Where the parent has asked for another program it need not be the parent's.
}

# An exception on its way to the caller, with those nested in it.
struct Thrown {
  type @0 :Text;
  # Demangled name of its dynamic type.
  what @1 :Text;
  # what() if it derives from std::exception.
  kind @2 :Kind;
  # The standard type that the caller's side makes of it.
  code @3 :Int32;
  # systemError, filesystemError, iosFailure, futureError: value of code(). regexError: value of
  # code().
  category @4 :Text;
  # systemError and its kin: name of the error category.
  paths @5 :List(Text);
  # filesystemError: path1 and path2.
  nested @6 :Thrown;
  # What std::rethrow_if_nested would throw.
  state @7 :Data;
  # registered: what the codec of the type wrote.
}

enum Kind {
  other @0;
  # Any type that is not in this list: arrives as remote_error.
  exception @1;
  logicError @2;
  invalidArgument @3;
  domainError @4;
  lengthError @5;
  outOfRange @6;
  futureError @7;
  runtimeError @8;
  rangeError @9;
  overflowError @10;
  underflowError @11;
  regexError @12;
  systemError @13;
  iosFailure @14;
  filesystemError @15;
  badAlloc @16;
  badArrayNewLength @17;
  badCast @18;
  badAnyCast @19;
  badTypeid @20;
  badException @21;
  badFunctionCall @22;
  badWeakPtr @23;
  badOptionalAccess @24;
  badVariantAccess @25;
  formatError @26;
  registered @27;
  # A type of the program, which both sides know by its name. Where the caller does not: as other.
}
