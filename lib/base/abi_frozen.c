/* SPDX-License-Identifier: Apache-2.0 */
/* The layouts that callers were compiled with, as the compiler sees them. A struct without
 * struct_size that is passed as an array, by value or inside another one is frozen: size and all
 * places. One with struct_size grows at its end only: the places stay and a new member comes behind
 * the size that is written here, never into its padding. After the first release a line here is
 * never changed, lines are added. */
#include <stddef.h>
#include <stdint.h>

#include "edgeops.h"

#define AT(type, member, place)                                                                    \
    _Static_assert(offsetof(edgeops_##type, member) == (place), "edgeops_" #type " is frozen")
#define FROZEN(type, size)                                                                         \
    _Static_assert(sizeof(edgeops_##type) == (size), "edgeops_" #type " is frozen")
#define GROWS(type, first_size)                                                                    \
    _Static_assert(sizeof(edgeops_##type) >= (first_size), "edgeops_" #type " only grows")

/* The values of enums are part of the layout, too: an enum here is an int. */
_Static_assert(sizeof(edgeops_status) == sizeof(int), "a status is an int");
_Static_assert(sizeof(edgeops_type) == sizeof(int), "a type is an int");

#if UINTPTR_MAX > 0xffffffffu /* 32-bit machines have the same members in the same order */

FROZEN(allocator, 32);
AT(allocator, alloc, 0);
AT(allocator, realloc, 8);
AT(allocator, free, 16);
AT(allocator, user_data, 24);

FROZEN(value, 16);
AT(value, type, 0);
AT(value, size, 4);
AT(value, as, 8);

FROZEN(blob, 40);
AT(blob, digest, 0);
AT(blob, size, 32);

FROZEN(sample, 56);
AT(sample, asset, 0);
AT(sample, time, 8);
AT(sample, seq, 16);
AT(sample, count, 24);
AT(sample, channels, 32);
AT(sample, values, 40);
AT(sample, qualities, 48);

FROZEN(column, 104);
AT(column, name, 0);
AT(column, unit, 8);
AT(column, type, 16);
AT(column, f64, 24);
AT(column, i64, 32);
AT(column, u8, 40);
AT(column, offsets, 48);
AT(column, bytes, 56);
AT(column, valid, 64);
AT(column, nulls, 72);
AT(column, data, 80);
AT(column, length, 88);
AT(column, quality, 96);

FROZEN(table, 80);
AT(table, asset, 0);
AT(table, rows, 8);
AT(table, times, 16);
AT(table, seqs, 24);
AT(table, ordinals, 32);
AT(table, column_count, 40);
AT(table, columns, 48);
AT(table, parts, 56);
AT(table, reserved, 64);

FROZEN(verdict, 64);
AT(verdict, outcome, 0);
AT(verdict, marks, 4);
AT(verdict, ordinal, 8);
AT(verdict, channel, 16);
AT(verdict, stored, 24);
AT(verdict, quality, 40);
AT(verdict, reserved, 48);

FROZEN(condition, 32);
AT(condition, channel, 0);
AT(condition, compare, 8);
AT(condition, value, 16);

FROZEN(target, 32);
AT(target, data, 0);
AT(target, stride, 8);
AT(target, type, 16);
AT(target, valid, 24);

FROZEN(channel_info, 24);
AT(channel_info, name, 0);
AT(channel_info, unit, 8);
AT(channel_info, type, 16);
AT(channel_info, length, 20);

FROZEN(aggregate, 72);
AT(aggregate, count, 0);
AT(aggregate, nulls, 8);
AT(aggregate, non_finite, 16);
AT(aggregate, min, 24);
AT(aggregate, max, 40);
AT(aggregate, sum, 56);
AT(aggregate, mean, 64);

FROZEN(bucket, 48);
AT(bucket, start, 0);
AT(bucket, end, 8);
AT(bucket, rows, 16);
AT(bucket, first, 24);
AT(bucket, last, 32);
AT(bucket, channels, 40);

FROZEN(label, 96);
AT(label, id, 0);
AT(label, asset, 8);
AT(label, start, 16);
AT(label, end, 24);
AT(label, label, 32);
AT(label, author, 40);
AT(label, created, 48);
AT(label, source, 56);
AT(label, version, 64);
AT(label, replaces, 72);
AT(label, withdrawn, 80);
AT(label, place, 88);

FROZEN(dataset_part, 24);
AT(dataset_part, table, 0);
AT(dataset_part, labels, 8);
AT(dataset_part, subsets, 16);

FROZEN(message, 40);
AT(message, id, 0);
AT(message, topic, 8);
AT(message, payload, 16);
AT(message, size, 24);
AT(message, qos, 32);
AT(message, retain, 33);

FROZEN(window_spec, 64);
AT(window_spec, rows, 0);
AT(window_spec, step, 4);
AT(window_spec, max_gap, 8);
AT(window_spec, period, 16);
AT(window_spec, fill, 24);
AT(window_spec, missing, 28);
AT(window_spec, wait, 32);
AT(window_spec, mixed, 40);
AT(window_spec, reserved, 48);

FROZEN(port, 24);
AT(port, name, 0);
AT(port, unit, 8);
AT(port, type, 16);
AT(port, length, 20);

GROWS(virtual_options, 40);
AT(virtual_options, struct_size, 0);
AT(virtual_options, seed, 8);
AT(virtual_options, start, 16);
AT(virtual_options, rate_hz, 24);
AT(virtual_options, asset, 32);

GROWS(ctx_options, 32);
AT(ctx_options, struct_size, 0);
AT(ctx_options, log, 8);
AT(ctx_options, log_user_data, 16);
AT(ctx_options, log_level, 24);

GROWS(dataset_options, 224);
AT(dataset_options, struct_size, 0);
AT(dataset_options, name, 8);
AT(dataset_options, assets, 16);
AT(dataset_options, asset_count, 24);
AT(dataset_options, channels, 32);
AT(dataset_options, channel_count, 40);
AT(dataset_options, start, 48);
AT(dataset_options, end, 56);
AT(dataset_options, labelled_only, 64);
AT(dataset_options, fill, 68);
AT(dataset_options, filter, 72);
AT(dataset_options, period, 80);
AT(dataset_options, tolerance, 88);
AT(dataset_options, window_rows, 96);
AT(dataset_options, window_step, 100);
AT(dataset_options, window, 104);
AT(dataset_options, step, 112);
AT(dataset_options, split, 120);
AT(dataset_options, reserved, 124);
AT(dataset_options, test, 128);
AT(dataset_options, validation, 136);
AT(dataset_options, test_from, 144);
AT(dataset_options, validation_from, 152);
AT(dataset_options, test_assets, 160);
AT(dataset_options, test_asset_count, 168);
AT(dataset_options, validation_assets, 176);
AT(dataset_options, validation_asset_count, 184);
AT(dataset_options, seed, 192);
AT(dataset_options, block, 200);
AT(dataset_options, channel_assets, 208);
AT(dataset_options, mixed, 216);

GROWS(dataset_layout, 88);
AT(dataset_layout, struct_size, 0);
AT(dataset_layout, capacity, 8);
AT(dataset_layout, channels, 16);
AT(dataset_layout, channel_count, 24);
AT(dataset_layout, times, 32);
AT(dataset_layout, seqs, 40);
AT(dataset_layout, values, 48);
AT(dataset_layout, targets, 56);
AT(dataset_layout, labels, 64);
AT(dataset_layout, groups, 72);
AT(dataset_layout, subsets, 80);

GROWS(hld_host, 64);
AT(hld_host, struct_size, 0);
AT(hld_host, abi_minor, 4);
AT(hld_host, self, 8);
AT(hld_host, emit, 16);
AT(hld_host, message, 24);
AT(hld_host, log, 32);
AT(hld_host, now, 40);
AT(hld_host, state, 48);
AT(hld_host, lost, 56);
AT(hld_host, kept, 64);
AT(hld_host, stray, 72);
AT(hld_host, fresh, 80);
AT(hld_host, begun, 88);
AT(hld_host, refused, 96);

GROWS(hld_driver, 88);
AT(hld_driver, struct_size, 0);
AT(hld_driver, abi_minor, 4);
AT(hld_driver, name, 8);
AT(hld_driver, version, 16);
AT(hld_driver, summary, 24);
AT(hld_driver, config_schema_json, 32);
AT(hld_driver, open, 40);
AT(hld_driver, start, 48);
AT(hld_driver, stop, 56);
AT(hld_driver, close, 64);
AT(hld_driver, forget, 72);
AT(hld_driver, describe, 80);

GROWS(source_stats, 368);
AT(source_stats, struct_size, 0);
AT(source_stats, state, 8);
AT(source_stats, messages, 16);
AT(source_stats, bytes, 24);
AT(source_stats, samples, 32);
AT(source_stats, duplicates, 40);
AT(source_stats, conflicts, 48);
AT(source_stats, late, 56);
AT(source_stats, expired, 64);
AT(source_stats, dead, 72);
AT(source_stats, reconnects, 80);
AT(source_stats, last, 88);
AT(source_stats, detail, 96);
AT(source_stats, labels, 352);
AT(source_stats, lost, 360);
AT(source_stats, retained_repeats, 368);
AT(source_stats, unmatched, 376);
AT(source_stats, untimed, 384);
AT(source_stats, unset_clock, 392);
AT(source_stats, merged, 400);
AT(source_stats, ahead, 408);

GROWS(source_options, 88);
AT(source_options, struct_size, 0);
AT(source_options, name, 8);
AT(source_options, driver, 16);
AT(source_options, config_json, 24);
AT(source_options, append, 32);
AT(source_options, on_state, 40);
AT(source_options, on_dead_letter, 48);
AT(source_options, user_data, 56);
AT(source_options, ready, 64);
AT(source_options, instance, 72);
AT(source_options, label, 80);
AT(source_options, memory, 88);

GROWS(publisher_options, 56);
AT(publisher_options, struct_size, 0);
AT(publisher_options, config_json, 8);
AT(publisher_options, in_flight, 16);
AT(publisher_options, on_state, 24);
AT(publisher_options, on_delivered, 32);
AT(publisher_options, user_data, 40);
AT(publisher_options, instance, 48);
AT(publisher_options, on_refused, 56);

GROWS(label_result, 24);
AT(label_result, struct_size, 0);
AT(label_result, added, 8);
AT(label_result, duplicates, 16);

GROWS(label_query, 88);
AT(label_query, struct_size, 0);
AT(label_query, asset, 8);
AT(label_query, label, 16);
AT(label_query, author, 24);
AT(label_query, start, 32);
AT(label_query, end, 40);
AT(label_query, version, 48);
AT(label_query, id, 56);
AT(label_query, history, 64);
AT(label_query, limit, 72);
AT(label_query, after, 80);

GROWS(node_options, 48);
AT(node_options, struct_size, 0);
AT(node_options, mode, 8);
AT(node_options, worker, 16);
AT(node_options, layer, 24);
AT(node_options, must_exist, 32);
AT(node_options, wait, 40);

GROWS(call_options, 32);
AT(call_options, struct_size, 0);
AT(call_options, input, 8);
AT(call_options, output, 12);
AT(call_options, on_event, 16);
AT(call_options, user_data, 24);

GROWS(runtime_options, 24);
AT(runtime_options, struct_size, 0);
AT(runtime_options, worker, 8);
AT(runtime_options, log_limit_bytes, 16);

GROWS(train_options, 80);
AT(train_options, struct_size, 0);
AT(train_options, workflow, 8);
AT(train_options, store, 16);
AT(train_options, dataset, 24);
AT(train_options, params_json, 32);
AT(train_options, directory, 40);
AT(train_options, run_dir, 48);
AT(train_options, on_event, 56);
AT(train_options, on_done, 64);
AT(train_options, user_data, 72);

GROWS(lane_options, 56);
AT(lane_options, struct_size, 0);
AT(lane_options, depth, 8);
AT(lane_options, run_dir, 16);
AT(lane_options, on_prediction, 24);
AT(lane_options, on_state, 32);
AT(lane_options, on_drain, 40);
AT(lane_options, user_data, 48);

GROWS(store_options, 48);
AT(store_options, struct_size, 0);
AT(store_options, segment_bytes, 8);
AT(store_options, free_floor_bytes, 16);
AT(store_options, durability, 24);
AT(store_options, ahead_limit, 32);
AT(store_options, sync_interval, 40);

GROWS(append_result, 56);
AT(append_result, struct_size, 0);
AT(append_result, appended, 8);
AT(append_result, duplicates, 16);
AT(append_result, conflicts, 24);
AT(append_result, late, 32);
AT(append_result, expired, 40);
AT(append_result, ahead, 48);

GROWS(append_options, 24);
AT(append_options, struct_size, 0);
AT(append_options, wait, 8);
AT(append_options, verdicts, 16);
AT(append_options, reserved, 20);

GROWS(retype_options, 72);
AT(retype_options, struct_size, 0);
AT(retype_options, asset, 8);
AT(retype_options, channel, 16);
AT(retype_options, type, 24);
AT(retype_options, length, 28);
AT(retype_options, nulls, 32);
AT(retype_options, null_count, 40);
AT(retype_options, dry_run, 48);
AT(retype_options, reserved, 52);
AT(retype_options, progress, 56);
AT(retype_options, user_data, 64);

GROWS(retype_result, 48);
AT(retype_result, struct_size, 0);
AT(retype_result, rows, 8);
AT(retype_result, values, 16);
AT(retype_result, nulled, 24);
AT(retype_result, respelled, 32);
AT(retype_result, was, 40);
AT(retype_result, was_length, 44);

GROWS(cursor_options, 40);
AT(cursor_options, struct_size, 0);
AT(cursor_options, asset, 8);
AT(cursor_options, channels, 16);
AT(cursor_options, channel_count, 24);
AT(cursor_options, after, 32);

GROWS(query, 88);
AT(query, struct_size, 0);
AT(query, asset, 8);
AT(query, start, 16);
AT(query, end, 24);
AT(query, channels, 32);
AT(query, channel_count, 40);
AT(query, max_ordinal, 48);
AT(query, limit, 56);
AT(query, last, 64);
AT(query, conditions, 72);
AT(query, condition_count, 80);

GROWS(layout, 64);
AT(layout, struct_size, 0);
AT(layout, capacity, 8);
AT(layout, times, 16);
AT(layout, seqs, 24);
AT(layout, ordinals, 32);
AT(layout, values, 40);
AT(layout, targets, 48);
AT(layout, channel_count, 56);

/* What the library gives through a pointer may grow, too, and needs no size: nobody copies it.
 * Its last member of today says that nothing before it moved. */
GROWS(virtual_label, 32);
AT(virtual_label, label, 24);
GROWS(dataset, 96);
AT(dataset, step, 88);
GROWS(dead_letter, 48);
AT(dead_letter, message_size, 40);
GROWS(node_prediction, 80);
AT(node_prediction, latency, 72);
GROWS(train_event, 48);
AT(train_event, text, 40);
GROWS(usage, 32);
AT(usage, peak_memory_bytes, 24);
GROWS(prediction, 48);
AT(prediction, duration, 40);
GROWS(error, 24);
AT(error, message, 16);
GROWS(asset_info, 72);
AT(asset_info, dropped_until, 64);
GROWS(summary, 40);
AT(summary, buckets, 32);
GROWS(manifest, 216);
AT(manifest, json, 208);
GROWS(workflow_info, 32);
AT(workflow_info, size_bytes, 24);
GROWS(model_info, 96);
AT(model_info, json, 88);

#endif
