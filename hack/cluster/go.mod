module github.com/lockstep-dev/lockstep/hack/cluster

go 1.26.0

require (
	github.com/google/go-containerregistry v0.21.6
	golang.org/x/sys v0.49.0
)

require (
	github.com/klauspost/compress v1.18.6 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
)
