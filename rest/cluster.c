/* SPDX-License-Identifier: Apache-2.0 */
/* GET /cluster: workers, slots, leader, placement, loads, and what has moved. Ours, not Connect's.
 */
#include "coordinator/placement.h"
#include "coordinator/roster.h"
#include "coordinator/weights.h"
#include "rest/resources.h"
#include "worker/base/mem.h"

/* What the tasks of one worker come to. */
struct load {
    int n_tasks;
    int64_t weight;
    int64_t rate;
};

/* What is shown, and what is summed up on the way. */
struct picture {
    const struct snapshot *snapshot;
    const struct roster *roster;
    int64_t mean_rate;
    struct load *loads; /* by member */
};

static cJSON *text_or_null(const char *text)
{
    return text && text[0] != '\0' ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static bool runs(const struct connector_state *connector)
{
    return connector->has_config && connector->committed && connector->target != TARGET_STOPPED;
}

static cJSON *task_view(struct picture *picture, const struct connector_state *connector,
                        size_t task)
{
    const struct task_state *state = &connector->tasks[task];
    const struct member *worker = roster_worker_of(picture->roster, state->slot);
    int64_t rate = weights_rate(picture->snapshot, connector, task);
    if (worker) {
        struct load *load = &picture->loads[worker - picture->roster->members.members];
        load->n_tasks++;
        load->weight += weights_of(rate, picture->mean_rate);
        load->rate += rate > 0 ? rate : 0;
    }
    bool placed = state->slot >= 0;
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddNumberToObject(view, "id", (double)task);
    (void)cJSON_AddItemToObject(view, "slot",
                                placed ? cJSON_CreateNumber(state->slot) : cJSON_CreateNull());
    (void)cJSON_AddItemToObject(view, "worker_id", text_or_null(worker ? worker->worker_id : NULL));
    (void)cJSON_AddItemToObject(view, "reason",
                                text_or_null(placed ? move_reason_name(state->why) : NULL));
    (void)cJSON_AddItemToObject(view, "rate",
                                rate >= 0 ? cJSON_CreateNumber((double)rate) : cJSON_CreateNull());
    return view;
}

static cJSON *placement_view(struct picture *picture)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < picture->snapshot->n_connectors; i++) {
        const struct connector_state *connector = picture->snapshot->connectors[i];
        if (!runs(connector)) {
            continue;
        }
        cJSON *view = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(view, "connector", connector->name);
        cJSON *tasks = cJSON_AddArrayToObject(view, "tasks");
        for (size_t task = 0; task < connector->n_tasks; task++) {
            (void)cJSON_AddItemToArray(tasks, task_view(picture, connector, task));
        }
        (void)cJSON_AddItemToArray(list, view);
    }
    return list;
}

static const char *state_of(const struct member *member)
{
    if (member->dead) {
        return "DEAD";
    }
    return member->leaving ? "LEAVING" : "UP";
}

static bool leads(const struct roster *roster, const struct member *member)
{
    return !member->dead && roster->leader[0] != '\0' && strcmp(roster->leader, member->url) == 0;
}

static cJSON *worker_view(const struct picture *picture, size_t i)
{
    const struct member *member = &picture->roster->members.members[i];
    const struct load *load = &picture->loads[i];
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(view, "worker_id", member->worker_id);
    (void)cJSON_AddStringToObject(view, "url", member->url);
    (void)cJSON_AddStringToObject(view, "instance", member->instance);
    (void)cJSON_AddStringToObject(view, "state", state_of(member));
    (void)cJSON_AddBoolToObject(view, "leader", leads(picture->roster, member));
    cJSON *slots = cJSON_AddArrayToObject(view, "slots");
    for (size_t n = 0; n < member->n_slots; n++) {
        (void)cJSON_AddItemToArray(slots, cJSON_CreateNumber(member->slots[n]));
    }
    (void)cJSON_AddNumberToObject(view, "tasks", load->n_tasks);
    (void)cJSON_AddNumberToObject(view, "load", (double)load->weight / PLACEMENT_UNIT);
    (void)cJSON_AddNumberToObject(view, "rate", (double)load->rate);
    return view;
}

static cJSON *move_view(const struct move *move)
{
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddNumberToObject(view, "time", (double)move->at_ms);
    (void)cJSON_AddStringToObject(view, "connector", move->connector);
    (void)cJSON_AddNumberToObject(view, "task", move->task);
    (void)cJSON_AddItemToObject(view, "from", text_or_null(move->from));
    (void)cJSON_AddStringToObject(view, "to", move->to);
    (void)cJSON_AddNumberToObject(view, "slot", move->slot);
    (void)cJSON_AddStringToObject(view, "reason", move_reason_name(move->reason));
    return view;
}

static cJSON *cluster_view(struct call *call, const struct roster *roster)
{
    struct picture picture = {
        .snapshot = call->snapshot,
        .roster = roster,
        .mean_rate = weights_mean(call->snapshot),
        .loads = xcalloc(roster->members.n_members + 1, sizeof(*picture.loads)),
    };
    const char *leader = NULL;
    for (size_t i = 0; i < roster->members.n_members; i++) {
        const struct member *member = &roster->members.members[i];
        leader = leads(roster, member) ? member->worker_id : leader;
    }
    cJSON *placement = placement_view(&picture); /* sums the loads up */
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(view, "group_id", roster->group_id);
    (void)cJSON_AddStringToObject(view, "worker_id", cluster_worker_id(call->cluster));
    (void)cJSON_AddItemToObject(view, "leader", text_or_null(leader));
    (void)cJSON_AddNumberToObject(view, "generation", (double)roster->generation);
    (void)cJSON_AddNumberToObject(view, "slots", roster->n_slots);
    cJSON *workers = cJSON_AddArrayToObject(view, "workers");
    for (size_t i = 0; i < roster->members.n_members; i++) {
        (void)cJSON_AddItemToArray(workers, worker_view(&picture, i));
    }
    (void)cJSON_AddItemToObject(view, "placement", placement);
    cJSON *moves = cJSON_AddArrayToObject(view, "moves");
    for (size_t i = 0; i < roster->n_moves; i++) {
        (void)cJSON_AddItemToArray(moves, move_view(roster->moves[i]));
    }
    free(picture.loads);
    return view;
}

static enum err get_cluster(struct call *call)
{
    struct roster *roster = cluster_roster(call->cluster);
    if (!roster || !roster->known) {
        answer_error(call, 503, "Who is in the cluster is not known yet");
    } else {
        answer_json(call, 200, cluster_view(call, roster));
    }
    roster_unref(roster);
    return ERR_OK;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/cluster",
      .handler = get_cluster,
      .doc = "Workers of the cluster with their slots and loads, who leads, where tasks sit, and "
             "which have moved lately and why, as the asked worker sees it.",
      .replies = { { 200, "ClusterInfo" } } },
};

const struct route_table cluster_routes = ROUTE_TABLE(rows);
