"""Confined, durable primitives: the only code that touches user trees and the kernel's corners.

Everything is ``(dir_fd, name)``: an open directory and one component, as bytes. No call follows a link, and none
takes a path with slashes into a user tree, so a planted link or a swapped parent has nothing to redirect::

    component   what may be one name
    confined    open, create, rename, remove; DirTree: open directories by object id, however deep
    handles     what an object is, whatever it is called
    metadata    reading all of it, and making it so
    content     segments, holes, exact reads and writes, clones
    walk        what stands in a directory
    durable     writes of our own state that survive a power cut; what a filesystem's clock is worth
    _libc       the ctypes bindings, once

Errors are ``OSError`` with errno and name; who calls decides whether a path or a run has failed.
"""
