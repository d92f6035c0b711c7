// The verbs. Each add_VERB, in the file of that name, describes its command line and binds what it does.
// The Context outlives all of it.
#pragma once

#include "ctl/context.hpp"
#include "ctl/parser.hpp"

namespace muster::ctl {

void add_run(Parser& parser, Context& context);
void add_ps(Parser& parser, Context& context);
void add_stop(Parser& parser, Context& context);
void add_kill(Parser& parser, Context& context);
void add_signal(Parser& parser, Context& context);
void add_wait(Parser& parser, Context& context);

void add_show(Parser& parser, Context& context);
void add_dict(Parser& parser, Context& context);
void add_list(Parser& parser, Context& context);
void add_queue(Parser& parser, Context& context);
void add_set(Parser& parser, Context& context);
void add_counter(Parser& parser, Context& context);
void add_namespace(Parser& parser, Context& context);
void add_value(Parser& parser, Context& context);
void add_array(Parser& parser, Context& context);
void add_lock(Parser& parser, Context& context);
void add_rlock(Parser& parser, Context& context);
void add_locks(Parser& parser, Context& context);
void add_sync(Parser& parser, Context& context);  // semaphore, event, barrier, condition
void add_objects(Parser& parser, Context& context);
void add_watch(Parser& parser, Context& context);
void add_erase(Parser& parser, Context& context);
void add_check(Parser& parser, Context& context);

void add_status(Parser& parser, Context& context);
void add_sessions(Parser& parser, Context& context);
void add_shutdown(Parser& parser, Context& context);
void add_version(Parser& parser, Context& context);

void add_commands(Parser& parser, Context& context);

}  // namespace muster::ctl
