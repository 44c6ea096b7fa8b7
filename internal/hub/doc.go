// Package hub downloads models from the Hugging Face hub into the cache that the Python tools use, and finds them there.
//
// The cache is laid out as huggingface_hub documents it, so that each finds what the other has downloaded:
//
//	HF_HUB_CACHE, or HF_HOME/hub, or ~/.cache/huggingface/hub
//	├── .locks/models--ORG--REPO/DIGEST.lock          held while DIGEST is being downloaded
//	└── models--ORG--REPO
//	    ├── blobs/DIGEST                              the files, by sha256 (large ones) or git's sha1
//	    ├── blobs/DIGEST.incomplete                   a download that was cut; it is resumed
//	    ├── refs/main                                 the commit that a branch or tag stood for
//	    └── snapshots/COMMIT/config.json              → ../../blobs/DIGEST
//
// What the hub says is not trusted: names must be plain paths inside the model's folder, digests must be digests, sizes are
// bounded before anything is fetched, and a file gets its name only after its digest has been checked. The token goes to
// the hub itself and to no host that it redirects to.
package hub
