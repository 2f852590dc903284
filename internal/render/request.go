package render

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// RendererVersion is part of every Digest: it changes whenever the same source could render differently. It names the
// versions of Helm and Kustomize too.
const RendererVersion = "lockstep-render/2 helm/v4.3.1 kustomize/v0.21.1"

// KubeVersion is what charts see as .Capabilities.KubeVersion, whatever the cluster is: the oldest that Lockstep
// supports, because what is right there is right on every newer one. .Capabilities.APIVersions are the built-in ones, as
// `helm template` has them.
const KubeVersion = "v1.30.0"

// Request says what is rendered.
type Request struct {
	// Root of the checkout. Nothing outside it is read, and nothing at all for inline objects.
	Root string `json:"root"`
	// Path of the chart or of the manifests below Root.
	Path string `json:"path"`
	// Source says how; its git part is not looked at.
	Source v1alpha1.Source `json:"source"`
	// Stack, Namespace (of the Stack) and Release that it is rendered for.
	Stack     string `json:"stack"`
	Namespace string `json:"namespace"`
	Release   string `json:"release"`
	// Slots that it is rendered for, each on its own.
	Slots []v1alpha1.Slot `json:"slots"`
	// Members of the Stack's spec.
	Members []v1alpha1.Member `json:"members,omitempty"`
	// Images that replace those in the manifests.
	Images []v1alpha1.ImageOverride `json:"images,omitempty"`
	// Ignore lists objects that are left out.
	Ignore []v1alpha1.ObjectPattern `json:"ignore,omitempty"`
	// Limits bound the child. Zero values stand for defaults.
	Limits Limits `json:"limits,omitzero"`
}

// Limits bound what a render may use. Zero values stand for defaults.
type Limits struct {
	// Timeout after which the child is killed. Default: 1m.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Memory in bytes. Default: 512 MiB.
	Memory int64 `json:"memory,omitempty"`
	// Output in bytes of everything that is rendered, for all slots. Default: 64 MiB.
	Output int64 `json:"output,omitempty"`
	// Objects in a slot. Default: 2000.
	Objects int `json:"objects,omitempty"`
}

func (l Limits) withDefaults() Limits {
	if l.Timeout <= 0 {
		l.Timeout = time.Minute
	}
	if l.Memory <= 0 {
		l.Memory = 512 << 20
	}
	if l.Output <= 0 {
		l.Output = 64 << 20
	}
	if l.Objects <= 0 {
		l.Objects = 2000
	}
	return l
}

// Result is what was rendered.
type Result struct {
	// Slots in the order of the Request.
	Slots []SlotResult `json:"slots"`
	// Members that were found, by name. They are the same in every slot; replicas are the largest that any slot asks for.
	Members []v1alpha1.ReleaseMember `json:"members"`
	// Dependencies are the paths, relative to Root, that were read outside Path: charts at file:// (theirs included),
	// values files, bases and files of Kustomize, and where symbolic links lead.
	Dependencies []string `json:"dependencies,omitempty"`
	// Warnings for people. They stop nothing.
	Warnings []string `json:"warnings,omitempty"`
	// Digest of every slot's manifests without sizes, the members, the overrides and the renderer. It lacks what only the
	// caller knows: commit and inputs.
	Digest string `json:"digest"`
}

// SlotResult is what was rendered for a slot.
type SlotResult struct {
	// Slot by name.
	Slot string `json:"slot"`
	// Objects in canonical form and order: in the slot's namespace, without status and what a server fills in.
	Objects []*unstructured.Unstructured `json:"objects"`
	// Digest of the objects without replicas and HPA minimums.
	Digest string `json:"digest"`
}
