package view

import (
	"cmp"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Event is something that was said of an object.
type Event struct {
	Namespace string      `json:"namespace"`
	Object    string      `json:"object"`
	Type      string      `json:"type"`
	Reason    string      `json:"reason"`
	Message   string      `json:"message"`
	Count     int32       `json:"count"`
	First     metav1.Time `json:"first,omitzero"`
	Last      metav1.Time `json:"last"`
	Source    string      `json:"source,omitempty"`
	UID       string      `json:"uid,omitempty"`
}

// EventOf reads an event in whichever of the two ways it was written.
func EventOf(e *corev1.Event) Event {
	out := Event{
		Namespace: e.Namespace, Object: e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name, Type: e.Type, Reason: e.Reason, Message: e.Message,
		Count: max(e.Count, 1), First: e.FirstTimestamp, Last: e.LastTimestamp, Source: cmp.Or(e.ReportingController, e.Source.Component), UID: string(e.UID),
	}
	if out.First.IsZero() {
		out.First = metav1.Time{Time: e.EventTime.Time}
	}
	if e.Series != nil {
		out.Count, out.Last = e.Series.Count, metav1.Time{Time: e.Series.LastObservedTime.Time}
	}
	for _, at := range []metav1.Time{out.First, e.CreationTimestamp} {
		if out.Last.IsZero() {
			out.Last = at
		}
	}
	return out
}

// EventRows are events as a table, with its head.
func EventRows(events []Event, now time.Time, wide bool) (head []string, rows [][]string) {
	head = []string{"LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"}
	if wide {
		head = []string{"LAST SEEN", "TYPE", "REASON", "NAMESPACE", "OBJECT", "COUNT", "SOURCE", "MESSAGE"}
	}
	for _, e := range events {
		row := []string{Age(now, e.Last), e.Type, e.Reason, e.Object, e.Message}
		if wide {
			row = []string{Age(now, e.Last), e.Type, e.Reason, e.Namespace, e.Object, strconv.Itoa(int(e.Count)), e.Source, e.Message}
		}
		rows = append(rows, row)
	}
	return head, rows
}
