// SPDX-License-Identifier: Apache-2.0
// A C++17 host: the headers as they are, objects in unique_ptr, callbacks that are lambdas, the enumerators of the
// C side in its own switch. It trains by names, opens the model as an object, predicts on arrays of its own.
#include <array>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "host.h"

namespace {

template <auto close>
struct closer {
    template <class object>
    void operator()(object *o) const {
        close(o);
    }
};
using workflow_ptr = std::unique_ptr<edgeops_workflow, closer<edgeops_workflow_close>>;
using model_ptr = std::unique_ptr<edgeops_model, closer<edgeops_model_close>>;
using lane_ptr = std::unique_ptr<edgeops_lane, closer<edgeops_lane_close>>;

// Enums at file scope: in C++ those of a struct would be its members.
static_assert(std::is_enum_v<edgeops_train_kind> && std::is_enum_v<edgeops_fill>);

struct progress {
    std::vector<std::string> seen;
    double metric = 0;
    bool ended = false;
    edgeops_status status = EDGEOPS_OK;
    std::string message;
};

void on_event(const edgeops_train_event *event, void *user_data) {
    auto &p = *static_cast<progress *>(user_data);
    switch (event->kind) {
    case EDGEOPS_TRAIN_PROGRESS: p.seen.emplace_back("progress"); break;
    case EDGEOPS_TRAIN_METRIC: p.metric = event->value; break;
    case EDGEOPS_TRAIN_LOG: p.seen.emplace_back(event->text); break;
    case EDGEOPS_TRAIN_STATE: p.seen.emplace_back(event->text); break;
    }
}

model_ptr train(edgeops_runtime *runtime) {
    edgeops_workflow *opened = nullptr;
    NEED(edgeops_workflow_open(&opened, edgeops_node_workflows(node), "mean") == EDGEOPS_OK, "%s", why());
    workflow_ptr workflow{opened};
    progress p;
    const std::string directory = path_of("models/mean");
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    options.workflow = workflow.get();
    options.store = store;
    options.dataset = "d";
    options.directory = directory.c_str();
    options.on_event = on_event;
    options.on_done = [](edgeops_status status, const char *message, const edgeops_usage *, void *user_data) {
        auto &q = *static_cast<progress *>(user_data);
        q.ended = true;
        q.status = status;
        q.message = message;
        edgeops_ctx_stop(ctx);
    };
    options.user_data = &p;
    edgeops_training *training = nullptr;
    NEED(edgeops_training_start(&training, runtime, &options) == EDGEOPS_OK, "%s", why());
    while (!p.ended) {
        (void)!edgeops_ctx_run(ctx, 60 * EDGEOPS_SECOND);
    }
    NEED(p.status == EDGEOPS_OK, "%s", p.message.c_str());
    CHECK(p.metric == 4.5, "%g", p.metric);
    CHECK(p.seen.size() >= 3, "%zu events", p.seen.size());
    edgeops_model *model = nullptr;
    NEED(edgeops_model_open(&model, directory.c_str(), edgeops_node_workflows(node)) == EDGEOPS_OK, "%s", why());
    return model_ptr{model};
}

void predict(edgeops_runtime *runtime, const edgeops_model *model) {
    edgeops_lane *opened = nullptr;
    NEED(edgeops_lane_open(&opened, runtime, model, nullptr) == EDGEOPS_OK, "%s", why());
    lane_ptr lane{opened};
    std::array<double, 3> values{1, 2, 3};
    std::array<edgeops_time, 3> times{10, 20, 30};
    const edgeops_prediction *answers = nullptr;
    size_t count = 0;
    NEED(edgeops_lane_predict_many(&answers, &count, lane.get(), values.data(), times.data(), values.size()) ==
             EDGEOPS_OK,
         "%s", why());
    CHECK(count == values.size(), "%zu answers", count);
    for (size_t i = 0; i < count; i++) {
        CHECK(answers[i].status == EDGEOPS_OK && answers[i].values[0].as.f64 == values[i] - 4.5, "%zu", i);
    }
    NEED(edgeops_lane_predict(&answers, lane.get(), values.data(), times.data(), 1) == EDGEOPS_OK, "%s", why());
    CHECK(answers->values[0].as.f64 == -3.5, "%g", answers->values[0].as.f64);
}

} // namespace

int main() {
    host_begin();
    need_worker();
    node_up(path_of("home"));
    echo_up();
    const char *path = make_workflow("mean", "def train(dataset, params, run):\n"
                                             "    mean = float(dataset.values.mean())\n"
                                             "    run.metric('mean', mean); run.progress(1.0)\n"
                                             "    return mean\n"
                                             "def predict(model, window, params):\n"
                                             "    return {'y': float(window.values[-1, 0]) - model}\n");
    NEED(call("workflow.add", text_of("{\"path\":\"%s\"}", path)) == EDGEOPS_OK, "%s", why());
    edgeops_runtime *runtime = nullptr;
    NEED(edgeops_node_runtime(&runtime, node) == EDGEOPS_OK, "%s", why());
    {
        model_ptr model = train(runtime);
        predict(runtime, model.get());
    }
    node_down();
    return host_end();
}
