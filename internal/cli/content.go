package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/observe"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// Render renders a checkout in a child process, which main must let be one (render.MaybeChild), and looks at what came
// out as a whole: what a slot's render alone does not tell.
func Render(ctx context.Context, stack *v1alpha1.Stack, checkout string) (*Rendered, error) {
	stack = observe.WithDefaults(stack)
	result, err := render.Run(ctx, render.Request{
		Root: checkout, Path: stack.Spec.Source.Git.Path, Source: stack.Spec.Source, Stack: stack.Name, Namespace: stack.Namespace,
		Release: stack.Name + "-lint", Slots: stack.Spec.Slots, Members: stack.Spec.Members, Ignore: stack.Spec.Ignore,
	})
	if err != nil {
		if reason := render.ReasonOf(err); reason != "" {
			return &Rendered{Problems: []string{reason + ": " + oneLine(err)}}, nil
		}
		return nil, err
	}
	out := &Rendered{Warnings: result.Warnings}
	for _, m := range result.Members {
		out.Members = append(out.Members, memberLine(m))
	}
	for _, slot := range result.Slots {
		out.Problems = append(out.Problems, backendsMissing(stack, slot)...)
	}
	out.Warnings = append(out.Warnings, differences(stack.Spec.Slots, result.Slots)...)
	return out, nil
}

func memberLine(m v1alpha1.ReleaseMember) string {
	line := fmt.Sprintf("%s  %s  %s  %s", m.Name, m.Kind, m.Role, strings.Join(m.Images, ", "))
	if len(m.Services) > 0 {
		line += "  behind Service " + strings.Join(m.Services, ", ")
	}
	if len(m.DependsOn) > 0 {
		line += "  after " + strings.Join(m.DependsOn, ", ")
	}
	return line
}

// backendsMissing looks for the Service and the port that each entry sends users to.
func backendsMissing(stack *v1alpha1.Stack, slot render.SlotResult) []string {
	var out []string
	for _, e := range stack.Spec.Entries {
		ports, found := portsOf(slot.Objects, e.Backend.Service)
		switch {
		case !found:
			out = append(out, fmt.Sprintf("%s: entry %s sends users to Service %s, which is not rendered for slot %s; correct backend.service, or add the Service",
				v1alpha1.ReasonBackendMissing, e.Name, e.Backend.Service, slot.Slot))
		case !slices.Contains(ports, int64(e.Backend.Port)):
			out = append(out, fmt.Sprintf("%s: entry %s sends users to port %d of Service %s, which has %v in slot %s; correct backend.port",
				v1alpha1.ReasonBackendMissing, e.Name, e.Backend.Port, e.Backend.Service, ports, slot.Slot))
		}
	}
	return out
}

func portsOf(objects []*unstructured.Unstructured, service string) (ports []int64, found bool) {
	for _, o := range objects {
		if o.GetKind() != "Service" || o.GetName() != service {
			continue
		}
		found = true
		specs, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
		for _, s := range specs {
			spec, _ := s.(map[string]any)
			port, _, _ := unstructured.NestedInt64(spec, "port")
			ports = append(ports, port)
		}
	}
	return ports, found
}
