package observe

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/lockstep-dev/lockstep/internal/entry"
)

// labelGatewayName is on everything that a Gateway's controller makes for it.
const labelGatewayName = "gateway.networking.k8s.io/gateway-name"

func (p *pass) apiDoor(ctx context.Context, route, u *unstructured.Unstructured, parent entry.Parent) (*door, error) {
	gateway, err := decode[gatewayv1.Gateway](u)
	if err != nil {
		return shut("%v", err), nil
	}
	d := &door{gateway: parent.String()}
	home, err := p.namespaceLabels(ctx, route.GetNamespace())
	if err != nil {
		return nil, err
	}
	for _, l := range gateway.Spec.Listeners {
		if !attaches(l, parent) || !admits(l, gateway.Namespace, route, home) {
			continue
		}
		hosts := meet(routeHosts(route), string(ptr.Deref(l.Hostname, "*")))
		if len(hosts) > 0 {
			d.listeners = add(d.listeners, listener{port: l.Port, tls: l.Protocol == gatewayv1.HTTPSProtocolType, hosts: hosts})
		}
	}
	if len(d.listeners) == 0 {
		return d, nil
	}
	return d, p.behindAddresses(ctx, d, gateway)
}

func (p *pass) namespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	ns := &corev1.Namespace{}
	if err := p.Live.Get(ctx, types.NamespacedName{Name: name}, ns); err != nil {
		return nil, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return ns.Labels, nil
}

// attaches: a parentRef may pick a listener by its name or its port.
func attaches(l gatewayv1.Listener, parent entry.Parent) bool {
	switch {
	case l.Protocol != gatewayv1.HTTPProtocolType && l.Protocol != gatewayv1.HTTPSProtocolType:
		return false
	case parent.SectionName != "" && parent.SectionName != string(l.Name):
		return false
	}
	return parent.Port == 0 || parent.Port == l.Port
}

// admits reports whether the listener takes routes of this kind from the route's namespace.
func admits(l gatewayv1.Listener, home string, route *unstructured.Unstructured, namespace map[string]string) bool {
	allowed := ptr.Deref(l.AllowedRoutes, gatewayv1.AllowedRoutes{})
	if len(allowed.Kinds) > 0 && !slices.ContainsFunc(allowed.Kinds, func(k gatewayv1.RouteGroupKind) bool { return string(k.Kind) == route.GetKind() }) {
		return false
	}
	from := ptr.Deref(allowed.Namespaces, gatewayv1.RouteNamespaces{})
	switch ptr.Deref(from.From, gatewayv1.NamespacesFromSame) {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSame:
		return home == route.GetNamespace()
	case gatewayv1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(from.Selector)
		return err == nil && selector.Matches(labels.Set(namespace))
	default:
		return false
	}
}

// behindAddresses finds the Services that stand for a Gateway: made for it, named by it, or holding its address.
func (p *pass) behindAddresses(ctx context.Context, d *door, gateway *gatewayv1.Gateway) error {
	d.looked = "a Service labelled " + labelGatewayName + "=" + gateway.Name
	services, err := p.madeFor(ctx, gateway)
	for _, lookup := range []func() ([]corev1.Service, error){
		func() ([]corev1.Service, error) { return p.named(ctx, d, gateway) },
		func() ([]corev1.Service, error) { return p.holding(ctx, d, gateway) },
	} {
		if err == nil && len(services) == 0 {
			services, err = lookup()
		}
	}
	if err != nil {
		return fmt.Errorf("looking for the Services of %s: %w", d.gateway, err)
	}
	d.services = services
	return p.slicesOf(ctx, d)
}

func (p *pass) madeFor(ctx context.Context, gateway *gatewayv1.Gateway) ([]corev1.Service, error) {
	var list corev1.ServiceList
	err := p.Live.List(ctx, &list, client.InNamespace(gateway.Namespace), client.MatchingLabels{labelGatewayName: gateway.Name})
	return list.Items, err
}

func (p *pass) named(ctx context.Context, d *door, gateway *gatewayv1.Gateway) ([]corev1.Service, error) {
	var all []corev1.Service
	for _, host := range hostnames(gateway) {
		key, ok := serviceNamed(host, gateway.Namespace)
		if !ok {
			continue
		}
		d.looked += ", Service " + key.String()
		var s corev1.Service
		err := p.Live.Get(ctx, key, &s)
		switch {
		case err == nil:
			all = append(all, s)
		case !apierrors.IsNotFound(err):
			return nil, err
		}
	}
	return all, nil
}

func hostnames(gateway *gatewayv1.Gateway) []string {
	var all []string
	for _, a := range gateway.Spec.Addresses {
		if ptr.Deref(a.Type, gatewayv1.IPAddressType) == gatewayv1.HostnameAddressType {
			all = append(all, a.Value)
		}
	}
	for _, a := range gateway.Status.Addresses {
		if ptr.Deref(a.Type, gatewayv1.IPAddressType) == gatewayv1.HostnameAddressType {
			all = append(all, a.Value)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// serviceNamed reads name.namespace.svc[.cluster.domain], or a bare name in the Gateway's namespace.
func serviceNamed(host, home string) (types.NamespacedName, bool) {
	parts := strings.Split(host, ".")
	switch {
	case len(parts) == 1 && host != "":
		return types.NamespacedName{Namespace: home, Name: host}, true
	case len(parts) > 2 && parts[2] == "svc":
		return types.NamespacedName{Namespace: parts[1], Name: parts[0]}, true
	}
	return types.NamespacedName{}, false
}

// holding lists the Services of the whole cluster, which nothing cheaper answers for.
func (p *pass) holding(ctx context.Context, d *door, gateway *gatewayv1.Gateway) ([]corev1.Service, error) {
	wanted := map[string]bool{}
	for _, a := range gateway.Status.Addresses {
		wanted[a.Value] = true
		d.looked += ", a Service with the address " + a.Value
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	var list corev1.ServiceList
	if err := p.Live.List(ctx, &list); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(s corev1.Service) bool { return !holds(&s, wanted) }), nil
}

func holds(s *corev1.Service, wanted map[string]bool) bool {
	addresses := append(slices.Clone(s.Spec.ClusterIPs), s.Spec.ExternalIPs...)
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		addresses = append(addresses, ingress.IP, ingress.Hostname)
	}
	return slices.ContainsFunc(addresses, func(a string) bool { return a != "" && wanted[a] })
}
