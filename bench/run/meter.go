package main

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/config"
)

// metricsPort is where the controller serves its metrics.
const metricsPort = "8080"

const (
	memoryMetric = "process_resident_memory_bytes"
	cpuMetric    = "process_cpu_seconds_total"
	writesMetric = "lockstep_api_writes_total"
)

// reading is what the controller says of itself.
type reading struct {
	memory, cpu float64
	// writes by "verb resource".
	writes map[string]float64
}

// since is what was written after an earlier reading.
func (r reading) since(earlier reading) map[string]float64 {
	more := map[string]float64{}
	for key, count := range r.writes {
		if count > earlier.writes[key] {
			more[key] = count - earlier.writes[key]
		}
	}
	return more
}

// meter reads the metrics of the controller's Pod, by way of the API server.
func (b *bench) meter(ctx context.Context) (reading, error) {
	pods := &corev1.PodList{}
	if err := b.List(ctx, pods, client.InNamespace(config.Namespace)); err != nil {
		return reading{}, err
	}
	for _, p := range pods.Items {
		if p.DeletionTimestamp != nil || !strings.HasPrefix(p.Name, config.Controller) {
			continue
		}
		raw, err := b.clients.CoreV1().Pods(config.Namespace).ProxyGet("http", p.Name, metricsPort, "/metrics", nil).DoRaw(ctx)
		if err != nil {
			return reading{}, err
		}
		return read(raw)
	}
	return reading{}, errors.New("no Pod of the controller is there")
}

func read(raw []byte) (reading, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		return reading{}, err
	}
	r := reading{writes: map[string]float64{}}
	for _, m := range families[memoryMetric].GetMetric() {
		r.memory = m.GetGauge().GetValue()
	}
	for _, m := range families[cpuMetric].GetMetric() {
		r.cpu = m.GetCounter().GetValue()
	}
	for _, m := range families[writesMetric].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["dry_run"] != "true" {
			// Refused ones and conflicts count: the API server had to deal with them all the same.
			r.writes[labels["verb"]+" "+labels["resource"]] += m.GetCounter().GetValue()
		}
	}
	return r, nil
}
