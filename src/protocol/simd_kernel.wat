;; SIMD kernel of the codec: masking (RFC 6455 §5.3) and UTF-8 validation (RFC 3629).
;; The TypeScript in mask.ts and utf8.ts is the model and the fallback.
(module
  (import "kernel" "memory" (memory 1))

  ;; Masks the bytes from $at to $end in place. The lowest byte of $key is the key's first octet.
  (func (export "mask") (param $at i32) (param $end i32) (param $key i32)
    (local $keys v128)
    (local.set $keys (i32x4.splat (local.get $key)))
    ;; 64 bytes a step.
    (block $done64
      (loop $next64
        (br_if $done64 (i32.gt_u (i32.add (local.get $at) (i32.const 64)) (local.get $end)))
        (v128.store (local.get $at)
          (v128.xor (v128.load (local.get $at)) (local.get $keys)))
        (v128.store offset=16 (local.get $at)
          (v128.xor (v128.load offset=16 (local.get $at)) (local.get $keys)))
        (v128.store offset=32 (local.get $at)
          (v128.xor (v128.load offset=32 (local.get $at)) (local.get $keys)))
        (v128.store offset=48 (local.get $at)
          (v128.xor (v128.load offset=48 (local.get $at)) (local.get $keys)))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $next64)))
    ;; 4 bytes a step.
    (block $done4
      (loop $next4
        (br_if $done4 (i32.gt_u (i32.add (local.get $at) (i32.const 4)) (local.get $end)))
        (i32.store (local.get $at) (i32.xor (i32.load (local.get $at)) (local.get $key)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $next4)))
    ;; The last 0 to 3 bytes.
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (i32.store8 (local.get $at) (i32.xor (i32.load8_u (local.get $at)) (local.get $key)))
        (local.set $key (i32.shr_u (local.get $key) (i32.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))))

  ;; Validates the bytes from $at to $end, a multiple of 16 and at least 16, as UTF-8 that starts at a
  ;; character. Returns the end of the last whole character, or -1 if there is an invalid byte.
  ;;
  ;; John Keiser, Daniel Lemire: Validating UTF-8 In Less Than One Instruction Per Byte (2020). Each pair
  ;; of bytes is looked up in three tables of 16, by its three upper half bytes. A bit that is set in all
  ;; three is an error:
  ;;   0x01 too short: a lead byte, or ASCII, where a continuation byte is due
  ;;   0x02 too long: a continuation byte after ASCII
  ;;   0x04 overlong, of 3 bytes     0x10 surrogate
  ;;   0x08 too large                0x20 overlong, of 2 bytes
  ;;   0x40 too large, from U+140000; or overlong, of 4 bytes
  ;;   0x80 two continuation bytes: right if and only if they are a third or fourth byte
  (func (export "validate") (param $at i32) (param $end i32) (result i32)
    (local $input v128) (local $previous v128) (local $error v128) (local $incomplete v128)
    (local $before1 v128)
    (loop $next
      (local.set $input (v128.load (local.get $at)))
      (if (i8x16.bitmask (local.get $input))
        (then
          (local.set $before1
            (i8x16.shuffle 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
              (local.get $previous) (local.get $input)))
          (local.set $error
            (v128.or
              (local.get $error)
              (v128.xor
                ;; Whether a third or a fourth byte is due: after E0-FF two before, or F0-FF three before.
                (v128.and
                  (v128.or
                    (i8x16.sub_sat_u
                      (i8x16.shuffle 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
                        (local.get $previous) (local.get $input))
                      (i8x16.splat (i32.const 0x60)))
                    (i8x16.sub_sat_u
                      (i8x16.shuffle 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28
                        (local.get $previous) (local.get $input))
                      (i8x16.splat (i32.const 0x70))))
                  (i8x16.splat (i32.const 0x80)))
                (v128.and
                  (v128.and
                    (i8x16.swizzle
                      (v128.const i8x16 0x02 0x02 0x02 0x02 0x02 0x02 0x02 0x02
                                        0x80 0x80 0x80 0x80 0x21 0x01 0x15 0x49)
                      (i8x16.shr_u (local.get $before1) (i32.const 4)))
                    (i8x16.swizzle
                      (v128.const i8x16 0xe7 0xa3 0x83 0x83 0x8b 0xcb 0xcb 0xcb
                                        0xcb 0xcb 0xcb 0xcb 0xcb 0xdb 0xcb 0xcb)
                      (v128.and (local.get $before1) (i8x16.splat (i32.const 0x0f)))))
                  (i8x16.swizzle
                    (v128.const i8x16 0x01 0x01 0x01 0x01 0x01 0x01 0x01 0x01
                                      0xe6 0xae 0xba 0xba 0x01 0x01 0x01 0x01)
                    (i8x16.shr_u (local.get $input) (i32.const 4)))))))
          ;; A lead byte in the last three whose character does not end in this block.
          (local.set $incomplete
            (i8x16.sub_sat_u
              (local.get $input)
              (v128.const i8x16 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 0xef 0xdf 0xbf))))
        (else
          (local.set $error (v128.or (local.get $error) (local.get $incomplete)))
          (local.set $incomplete (v128.const i64x2 0 0))))
      (local.set $previous (local.get $input))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (if (v128.any_true (local.get $error)) (then (return (i32.const -1))))
    (if (i32.ge_u (i32.load8_u (i32.sub (local.get $end) (i32.const 1))) (i32.const 0xc0))
      (then (return (i32.sub (local.get $end) (i32.const 1)))))
    (if (i32.ge_u (i32.load8_u (i32.sub (local.get $end) (i32.const 2))) (i32.const 0xe0))
      (then (return (i32.sub (local.get $end) (i32.const 2)))))
    (if (i32.ge_u (i32.load8_u (i32.sub (local.get $end) (i32.const 3))) (i32.const 0xf0))
      (then (return (i32.sub (local.get $end) (i32.const 3)))))
    (local.get $end)))
