// Package world is a small deterministic model of what a release depends on: namespaces, workloads, Pods, Services with
// endpoints that lag, routes with gateways that lag, Releases and Decisions. Other controllers, people and users are
// steps that a test takes in whatever order it likes. Writes follow the rules of the real API server and of the real
// applier: resourceVersions, epochs, create-only names.
package world
