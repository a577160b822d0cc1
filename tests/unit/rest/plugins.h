/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two connector kinds of the tests' own, in place of the worker's: the REST interface is tested
 * with keys that do not change when a real connector does.
 *
 * test.TestSourceConnector: url (required), password (PASSWORD), level (INT, at least 1).
 * test.TestSinkConnector: url (required).
 */
#pragma once

#define TEST_SOURCE  "test.TestSourceConnector"
#define TEST_VERSION "1.2.3"
