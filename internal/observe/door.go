package observe

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// door is a gateway as seen from outside: where it listens, and which Pods stand behind it.
type door struct {
	gateway   string
	listeners []listener
	services  []corev1.Service
	slices    []discoveryv1.EndpointSlice
	// pods are the gateway's own, where it names them; a Service may have others besides. Nil: all that it has.
	pods map[client.ObjectKey]*corev1.Pod
	// looked says where endpoints were looked for.
	looked string
	// cannotAsk says why the gateway cannot be asked at all.
	cannotAsk string
}

func shut(format string, args ...any) *door { return &door{cannotAsk: fmt.Sprintf(format, args...)} }

// address is where one Pod of a gateway listens.
type address struct {
	at  string
	pod string
}

func (p *pass) slicesIn(ctx context.Context, d *door, namespace string) error {
	var list discoveryv1.EndpointSliceList
	if err := p.Live.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return err
	}
	d.slices = append(d.slices, list.Items...)
	return nil
}

func (p *pass) slicesOf(ctx context.Context, d *door) error {
	found := make([]discoveryv1.EndpointSliceList, len(d.services))
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range d.services {
		g.Go(func() error {
			return p.Live.List(ctx, &found[i], client.InNamespace(s.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: s.Name})
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("listing the endpoints of %s: %w", d.gateway, err)
	}
	for i := range found {
		d.slices = append(d.slices, found[i].Items...)
	}
	return nil
}

// addresses are where the gateway's ready Pods listen for what comes to a port of its Services. Gateway Pods that stand
// behind no Service at all listen at the port itself.
func (d *door) addresses(port int32) []address {
	if len(d.services) == 0 {
		return d.ownAddresses(port)
	}
	var all []address
	for i := range d.services {
		s := &d.services[i]
		j := slices.IndexFunc(s.Spec.Ports, func(sp corev1.ServicePort) bool { return sp.Port == port })
		if j < 0 {
			continue
		}
		for _, a := range d.behind(s, s.Spec.Ports[j].Name) {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}

func (d *door) behind(s *corev1.Service, portName string) []address {
	var all []address
	for i := range d.slices {
		slice := &d.slices[i]
		if slice.Namespace != s.Namespace || slice.Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		for _, port := range slice.Ports {
			if ptr.Deref(port.Name, "") == portName && port.Port != nil {
				all = append(all, d.readyAt(slice, *port.Port)...)
			}
		}
	}
	return all
}

func (d *door) readyAt(slice *discoveryv1.EndpointSlice, port int32) []address {
	var all []address
	for _, e := range slice.Endpoints {
		if answers(e) && len(e.Addresses) > 0 && d.owns(slice.Namespace, e) {
			all = append(all, address{at: join(e.Addresses[0], port), pod: slice.Namespace + "/" + orElse(podBehind(e), e.Addresses[0])})
		}
	}
	return all
}

func (d *door) owns(namespace string, e discoveryv1.Endpoint) bool {
	return d.pods == nil || d.pods[client.ObjectKey{Namespace: namespace, Name: podBehind(e)}] != nil
}

func (d *door) ownAddresses(port int32) []address {
	var all []address
	for key, pod := range d.pods {
		if pod.DeletionTimestamp == nil && pod.Status.PodIP != "" && ready(pod) {
			all = append(all, address{at: join(pod.Status.PodIP, port), pod: key.String()})
		}
	}
	return all
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func join(ip string, port int32) string { return net.JoinHostPort(ip, strconv.Itoa(int(port))) }

// lookedAt names the Services, for a message of why nobody could be asked.
func (d *door) lookedAt(port int32) string {
	if len(d.services) == 0 {
		return d.looked
	}
	names := make([]string, 0, len(d.services))
	for _, s := range d.services {
		names = append(names, s.Namespace+"/"+s.Name)
	}
	return fmt.Sprintf("Service %s, port %d", strings.Join(names, ", "), port)
}
