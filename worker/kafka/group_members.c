/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of the group. See group_members.h. */
#include "worker/kafka/group_members.h"

#include "worker/base/log.h"
#include "worker/base/mem.h"

/*
 * The longest that librdkafka takes. A question whose time ran out while the coordinator did not
 * answer makes librdkafka (2.0.2 and later) abort the process as soon as the coordinator is back:
 * its lookup still refers to the request that is gone. Connections that break, and a coordinator
 * that moves, end the question earlier, so nobody waits this long.
 */
#define ASK_TIMEOUT_MS 3600000

void group_members_ask(rd_kafka_t *client, const char *group_id, rd_kafka_queue_t *queue)
{
    char text[256];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, ASK_TIMEOUT_MS, text, sizeof(text));
    rd_kafka_DescribeConsumerGroups(client, &group_id, 1, options, queue);
    rd_kafka_AdminOptions_destroy(options);
}

static void tell(const rd_kafka_ConsumerGroupDescription_t *group, const char *topic,
                 const struct group_callbacks *callbacks)
{
    size_t n_members = rd_kafka_ConsumerGroupDescription_member_count(group);
    struct group_member *members = xcalloc(n_members + 1, sizeof(*members));
    for (size_t i = 0; i < n_members; i++) {
        const rd_kafka_MemberDescription_t *member =
            rd_kafka_ConsumerGroupDescription_member(group, i);
        const rd_kafka_MemberAssignment_t *assignment =
            rd_kafka_MemberDescription_assignment(member);
        const rd_kafka_topic_partition_list_t *list =
            assignment ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;
        (void)snprintf(members[i].client_id, sizeof(members[i].client_id), "%s",
                       rd_kafka_MemberDescription_client_id(member));
        members[i].slots = group_slots(list, topic, &members[i].n_slots);
    }
    callbacks->on_members(callbacks->arg, members, n_members);
    for (size_t i = 0; i < n_members; i++) {
        free(members[i].slots);
    }
    free(members);
}

/* The description of the one group that was asked about, with its own error if it has one; NULL if
 * there was no answer. */
static const rd_kafka_ConsumerGroupDescription_t *description(rd_kafka_event_t *event,
                                                              const rd_kafka_error_t **ret_error)
{
    size_t n = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups = NULL;
    const rd_kafka_DescribeConsumerGroups_result_t *result =
        rd_kafka_event_DescribeConsumerGroups_result(event);
    if (result && !rd_kafka_event_error(event)) {
        groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &n);
    }
    *ret_error = n == 1 ? rd_kafka_ConsumerGroupDescription_error(groups[0]) : NULL;
    return n == 1 ? groups[0] : NULL;
}

static enum group_answer no_answer(rd_kafka_event_t *event, const rd_kafka_error_t *error)
{
    log_debug(NULL, "GROUP-DESCRIBE-FAIL", "err=\"%s\"",
              error ? rd_kafka_error_string(error) : rd_kafka_err2str(rd_kafka_event_error(event)));
    return GROUP_NO_ANSWER;
}

enum group_answer group_members_take(rd_kafka_event_t *event, const char *topic,
                                     const struct group_callbacks *callbacks)
{
    const rd_kafka_error_t *error = NULL;
    const rd_kafka_ConsumerGroupDescription_t *group = description(event, &error);
    if (!group || error) {
        return no_answer(event, error);
    }
    if (rd_kafka_ConsumerGroupDescription_state(group) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE) {
        return GROUP_CHANGING;
    }
    tell(group, topic, callbacks);
    return GROUP_STABLE;
}

enum group_answer group_members_find(rd_kafka_event_t *event, const char *instance_id,
                                     bool *ret_found)
{
    const rd_kafka_error_t *error = NULL;
    const rd_kafka_ConsumerGroupDescription_t *group = description(event, &error);
    bool nobody = error && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND;
    if (!group || (error && !nobody)) {
        return no_answer(event, error);
    }
    bool found = false;
    size_t n_members = nobody ? 0 : rd_kafka_ConsumerGroupDescription_member_count(group);
    for (size_t i = 0; i < n_members && !found; i++) {
        const char *id = rd_kafka_MemberDescription_group_instance_id(
            rd_kafka_ConsumerGroupDescription_member(group, i));
        found = id && strcmp(id, instance_id) == 0;
    }
    *ret_found = found;
    return GROUP_STABLE;
}
