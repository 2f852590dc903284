module github.com/lockstep-dev/lockstep/hack/cluster

go 1.26.0

require (
	github.com/google/go-containerregistry v0.21.6 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
