package view

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// Age says how long ago t was, as kubectl does; empty where t is not known.
func Age(now time.Time, t metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return duration.HumanDuration(max(now.Sub(t.Time), 0))
}

// Clock says when t was: the time of day where that is enough, and the date else.
func Clock(now time.Time, t metav1.Time) string {
	utc := t.UTC()
	if now.Sub(t.Time) < 18*time.Hour {
		return utc.Format("15:04:05") + " UTC"
	}
	return utc.Format("2006-01-02 15:04") + " UTC"
}

// Since says for how long, and since when.
func Since(now time.Time, t metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return "for " + Age(now, t) + " (since " + Clock(now, t) + ")"
}
