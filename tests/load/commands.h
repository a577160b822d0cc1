/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of sluice-load. Each takes its own arguments (without program and command name),
 * prints one line of JSON on stdout and returns an exit code of enum load_exit. Main thread.
 */
#pragma once

int command_publish(int argc, char **argv);
int command_prepare(int argc, char **argv);
int command_drain(int argc, char **argv);
int command_produce(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_watch(int argc, char **argv);
int command_topic(int argc, char **argv);
int command_http(int argc, char **argv);
int command_mock(int argc, char **argv);
