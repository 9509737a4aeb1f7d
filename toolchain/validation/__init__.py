"""What `./doit validate` needs beside model/validate/: the files from outside, and the page."""
