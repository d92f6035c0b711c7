#include "ctl/commands/commands.hpp"

namespace muster::ctl {

void add_commands(Parser& parser, Context& context) {
    add_run(parser, context);
    add_ps(parser, context);
    add_stop(parser, context);
    add_kill(parser, context);
    add_signal(parser, context);
    add_wait(parser, context);

    add_locks(parser, context);
    add_objects(parser, context);
    add_show(parser, context);
    add_dict(parser, context);
    add_list(parser, context);
    add_set(parser, context);
    add_counter(parser, context);
    add_namespace(parser, context);
    add_value(parser, context);
    add_array(parser, context);
    add_queue(parser, context);
    add_lock(parser, context);
    add_rlock(parser, context);
    add_watch(parser, context);
    add_sync(parser, context);
    add_erase(parser, context);
    add_check(parser, context);

    add_status(parser, context);
    add_sessions(parser, context);
    add_shutdown(parser, context);
    add_version(parser, context);
}

}  // namespace muster::ctl
