package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

var (
	kindIstioGateway   = schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "Gateway"}
	kindVirtualService = schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"}
	kindGateway        = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}
	kindHTTPRoute      = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}
)

// front is what is known of what stands before an entry.
type front struct {
	hosts    []string
	gateways []client.ObjectKey
	kind     schema.GroupVersionKind
}

// addressOf is the address of an entry, as far as its user may find it out. What is guessed is noted.
func (c *Cluster) addressOf(ctx context.Context, stack *v1alpha1.Stack, e v1alpha1.Entry, f *openFlags, d *doorway) (string, error) {
	fr, err := c.frontOf(ctx, stack, e)
	if err != nil {
		if f.host == "" {
			return "", fmt.Errorf("%w; give the host with --host", err)
		}
		d.Notes = append(d.Notes, err.Error())
	}
	scheme := f.scheme
	if scheme == "" {
		if scheme, err = c.schemeOf(ctx, fr); err != nil {
			d.Notes = append(d.Notes, err.Error()+"; http is taken: give --scheme https where that is wrong")
			scheme = "http"
		}
	}
	host := cmp.Or(f.host, hostToAsk(fr.hosts))
	if host == "" {
		host = c.gatewayAddress(ctx, fr)
	}
	if host == "" {
		return "", fmt.Errorf("entry %s names no host that can be asked for (%s); give one with --host", e.Name, orNone(fr.hosts))
	}
	return addressFor(scheme, host, f.port, f.path), nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// hostToAsk is the first host that is no pattern.
func hostToAsk(hosts []string) string {
	for _, h := range hosts {
		if !strings.Contains(h, "*") {
			return h
		}
	}
	return ""
}

// frontOf reads hosts and gateways from the Stack, or from the route that it adopts.
func (c *Cluster) frontOf(ctx context.Context, stack *v1alpha1.Stack, e v1alpha1.Entry) (front, error) {
	switch {
	case e.VirtualService != nil:
		return c.frontOfVirtualService(ctx, stack, e.VirtualService)
	case e.HTTPRoute != nil:
		return c.frontOfHTTPRoute(ctx, stack, e.HTTPRoute)
	}
	return front{}, fmt.Errorf("entry %s has no route that a browser could go in by", e.Name)
}

func (c *Cluster) frontOfVirtualService(ctx context.Context, stack *v1alpha1.Stack, v *v1alpha1.VirtualServiceEntry) (front, error) {
	namespace := cmp.Or(v.Namespace, stack.Namespace)
	fr := front{hosts: v.Hosts, kind: kindIstioGateway}
	names := v.Gateways
	if v.Adopted() {
		route, err := c.route(ctx, kindVirtualService, namespace, v.Name)
		if err != nil {
			return fr, err
		}
		fr.hosts, _, _ = unstructured.NestedStringSlice(route.Object, "spec", "hosts")
		names, _, _ = unstructured.NestedStringSlice(route.Object, "spec", "gateways")
	}
	for _, name := range names {
		if ns, gateway, found := strings.Cut(name, "/"); found {
			fr.gateways = append(fr.gateways, client.ObjectKey{Namespace: ns, Name: gateway})
		} else if name != "mesh" {
			fr.gateways = append(fr.gateways, client.ObjectKey{Namespace: namespace, Name: name})
		}
	}
	return fr, nil
}

func (c *Cluster) frontOfHTTPRoute(ctx context.Context, stack *v1alpha1.Stack, h *v1alpha1.HTTPRouteEntry) (front, error) {
	namespace := cmp.Or(h.Namespace, stack.Namespace)
	fr := front{hosts: h.Hostnames, kind: kindGateway}
	for _, p := range h.ParentRefs {
		fr.gateways = append(fr.gateways, client.ObjectKey{Namespace: cmp.Or(p.Namespace, namespace), Name: p.Name})
	}
	if !h.Adopted() {
		return fr, nil
	}
	route, err := c.route(ctx, kindHTTPRoute, namespace, h.Name)
	if err != nil {
		return fr, err
	}
	fr.hosts, _, _ = unstructured.NestedStringSlice(route.Object, "spec", "hostnames")
	parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	for _, p := range parents {
		parent, _ := p.(map[string]any)
		name, _ := parent["name"].(string)
		of, _ := parent["namespace"].(string)
		fr.gateways = append(fr.gateways, client.ObjectKey{Namespace: cmp.Or(of, namespace), Name: name})
	}
	return fr, nil
}

func (c *Cluster) route(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(kind)
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, route)
	if apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("you may not read %s %s/%s, which says the host", kind.Kind, namespace, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s/%s, which says the host, cannot be read: %w", kind.Kind, namespace, name, err)
	}
	return route, nil
}

// schemeOf is https where a gateway listens for it, and http else.
func (c *Cluster) schemeOf(ctx context.Context, fr front) (string, error) {
	if len(fr.gateways) == 0 {
		return "", errors.New("no gateway is known")
	}
	var protocols []string
	for _, key := range fr.gateways {
		gateway, err := c.route(ctx, fr.kind, key.Namespace, key.Name)
		if err != nil {
			return "", fmt.Errorf("whether Gateway %s listens for https cannot be read", key)
		}
		protocols = append(protocols, protocolsOf(gateway)...)
	}
	switch {
	case slices.Contains(protocols, "HTTPS"), slices.Contains(protocols, "TLS"):
		return "https", nil // where both listen, http often leads there
	case len(protocols) == 0:
		return "", errors.New("the gateway has no listeners")
	}
	return "http", nil
}

func protocolsOf(gateway *unstructured.Unstructured) []string {
	var out []string
	listeners, _, _ := unstructured.NestedSlice(gateway.Object, "spec", "listeners")
	servers, _, _ := unstructured.NestedSlice(gateway.Object, "spec", "servers")
	for _, item := range slices.Concat(listeners, servers) {
		listener, _ := item.(map[string]any)
		protocol, _ := listener["protocol"].(string)
		if protocol == "" {
			protocol, _, _ = unstructured.NestedString(listener, "port", "protocol")
		}
		out = append(out, strings.ToUpper(protocol))
	}
	return out
}

// gatewayAddress is where a Gateway that takes any host can be asked; empty where it does not say.
func (c *Cluster) gatewayAddress(ctx context.Context, fr front) string {
	if fr.kind != kindGateway {
		return ""
	}
	for _, key := range fr.gateways {
		gateway, err := c.route(ctx, fr.kind, key.Namespace, key.Name)
		if err != nil {
			continue
		}
		addresses, _, _ := unstructured.NestedSlice(gateway.Object, "status", "addresses")
		for _, item := range addresses {
			address, _ := item.(map[string]any)
			if value, _ := address["value"].(string); value != "" {
				return value
			}
		}
	}
	return ""
}
