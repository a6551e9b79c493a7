/* Generated from drivers/wire/protocol.toml by `python -m drivers.generate`; not to be edited. */
#ifndef IQP_PROTOCOL_H
#define IQP_PROTOCOL_H

#define IQP_VERSION 1u
#define IQP_SHORT_FRAME 64u
#define IQP_LONGEST_FRAME 4096u
#define IQP_REPLAY_DEPTH 8u
#define IQP_HELLO_INTERVAL_MS 100u
#define IQP_BOOT_TIMEOUT_MS 2500u
#define IQP_REPLY_SLACK_MS 20u
#define IQP_RESET_MAGIC 0x21545352UL
#define IQP_SHUTDOWN_MAGIC 0x2146464FUL
#define IQP_CRC16_POLYNOMIAL 0x1021u
#define IQP_CRC16_START 0xFFFFu
#define IQP_CRC32_POLYNOMIAL 0xEDB88320UL
#define IQP_CRC32_START 0xFFFFFFFFUL

/* CRC by nibbles: CRC-16 takes the high nibble of a byte first, CRC-32 the low one. */
#define IQP_CRC16_NIBBLES { \
    0x0000u, 0x1021u, 0x2042u, 0x3063u, \
    0x4084u, 0x50A5u, 0x60C6u, 0x70E7u, \
    0x8108u, 0x9129u, 0xA14Au, 0xB16Bu, \
    0xC18Cu, 0xD1ADu, 0xE1CEu, 0xF1EFu }
#define IQP_CRC32_NIBBLES { \
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, \
    0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu, \
    0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, \
    0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu }

/* Flag: Low four bits of the first byte of a frame. */
#define IQP_FLAG_RETRANSMISSION 1u /* request sent again, or reply played again */
#define IQP_FLAG_EVENT 2u /* sent by the device unasked */
#define IQP_FLAG_MORE 4u /* another event of the same run follows at once */
#define IQP_FLAG_CRC32 8u /* the frame ends in CRC-32 instead of CRC-16 */

/* Opcode: What a frame asks for; a reply has bit 7 set as well, events stand at 0x40 and up. */
#define IQP_OPCODE_HELLO 0x01u /* opens a session */
#define IQP_OPCODE_DESCRIBE 0x02u /* a part of the descriptor */
#define IQP_OPCODE_ECHO 0x03u /* the same bytes back */
#define IQP_OPCODE_STATUS 0x04u /* state, faults, digest of the couplings */
#define IQP_OPCODE_SET_PARAMETER 0x05u /* sets one parameter */
#define IQP_OPCODE_GET_PARAMETER 0x06u /* reads one parameter */
#define IQP_OPCODE_COUNTERS 0x07u /* what the link and the board went through */
#define IQP_OPCODE_BEGIN 0x10u /* starts an upload of couplings */
#define IQP_OPCODE_LOAD_COUPLINGS 0x11u /* couplings from an absolute offset */
#define IQP_OPCODE_LOAD_FIELDS 0x12u /* fields from an absolute offset, across slots */
#define IQP_OPCODE_COMMIT 0x13u /* ends an upload; the digests must agree */
#define IQP_OPCODE_READBACK 0x14u /* bytes of a memory */
#define IQP_OPCODE_LOAD_STATES 0x15u /* start states from an absolute offset, across slots */
#define IQP_OPCODE_LOAD_CLAMPS 0x16u /* which spins stay as they start */
#define IQP_OPCODE_LOAD_LEGS 0x17u /* legs of schedules, from an absolute place in their table */
#define IQP_OPCODE_PATCH_FIELDS 0x18u /* a few fields of many slots: the same spins in each */
#define IQP_OPCODE_COPY_SLOTS 0x1Au /* fields and start states of some slots into others */
#define IQP_OPCODE_DIGEST 0x19u /* CRC-32 over a stretch of a memory */
#define IQP_OPCODE_RUN 0x20u /* starts a run over a range of slots */
#define IQP_OPCODE_POLL 0x21u /* how far a run has come */
#define IQP_OPCODE_READ 0x22u /* rows of a run: packed spins */
#define IQP_OPCODE_STREAM 0x23u /* asks for rows as events */
#define IQP_OPCODE_ABORT 0x25u /* ends a run */
#define IQP_OPCODE_CORRELATE 0x26u /* sums over the rows of a run */
#define IQP_OPCODE_RESET 0x7Eu /* restarts the device */
#define IQP_OPCODE_SHUTDOWN 0x7Fu /* ends an emulated device */

/* Event: What a device says unasked; the host may use it and never needs it. */
#define IQP_EVENT_BOOTED 0x40u /* the device has started */
#define IQP_EVENT_ROWS 0x41u /* rows that STREAM asked for */
#define IQP_EVENT_ENDED 0x42u /* a run came to its end */
#define IQP_EVENT_FAULT 0x43u /* a fault arose */

/* Status: First byte of every reply. */
#define IQP_STATUS_OK 0u /* done */
#define IQP_STATUS_UNKNOWN_OPCODE 1u /* no such opcode */
#define IQP_STATUS_BAD_LENGTH 2u /* payload too short, too long or not a whole number of values; detail: length taken */
#define IQP_STATUS_OUT_OF_RANGE 3u /* a number is outside its range; detail: position of its field in the payload */
#define IQP_STATUS_BAD_STATE 4u /* not in this state; detail: the state */
#define IQP_STATUS_BUSY 5u /* a run is under way; detail: its run id */
#define IQP_STATUS_BAD_DIGEST 6u /* the couplings are not those of the host; detail: the digest found */
#define IQP_STATUS_STALE_SESSION 7u /* no such session: the device was reset or another host said HELLO */
#define IQP_STATUS_BAD_VERSION 8u /* no common version; detail: the lowest and, times 256, the highest */
#define IQP_STATUS_TOO_LONG 9u /* the reply would not fit into a frame; detail: most bytes */
#define IQP_STATUS_HARDWARE_FAULT 11u /* the board failed; detail: fault bits */
#define IQP_STATUS_ABORTED 12u /* the run was ended before these rows came; detail: rows ready */
#define IQP_STATUS_NOT_CAPABLE 13u /* the descriptor does not offer this */
#define IQP_STATUS_OUT_OF_ORDER 14u /* an earlier request is missing; detail: the sequence number expected */
#define IQP_STATUS_UNKNOWN_RUN 15u /* no such run; detail: the run id held */
#define IQP_STATUS_NOT_READY 16u /* these rows are not there yet; detail: rows ready */

/* State: Where a device stands. */
#define IQP_STATE_EMPTY 0u /* no couplings */
#define IQP_STATE_LOADING 1u /* between BEGIN and COMMIT */
#define IQP_STATE_READY 2u /* couplings committed, no run under way */
#define IQP_STATE_RUNNING 3u /* a run is under way */
#define IQP_STATE_FAULTY 4u /* a fault forbids runs until RESET */

/* RunState: Where a run stands. */
#define IQP_RUN_STATE_PENDING 0u /* accepted, not started */
#define IQP_RUN_STATE_ACTIVE 1u /* under way */
#define IQP_RUN_STATE_COMPLETE 2u /* every row is there */
#define IQP_RUN_STATE_STOPPED 3u /* aborted; the rows ready stay readable */
#define IQP_RUN_STATE_FAILED 4u /* ended by a fault */

/* Start: What a read starts from. */
#define IQP_START_RANDOM 0u /* spins drawn from the seed */
#define IQP_START_LAST 1u /* the last row of the slot in the run before, which becomes its start state */
#define IQP_START_GIVEN 2u /* the start state of the slot */

/* RunFlag: Bits of RUN. */
#define IQP_RUN_FLAG_CORRELATE 1u /* sum spins and products over the rows */
#define IQP_RUN_FLAG_ANNOUNCE 2u /* send ENDED */
#define IQP_RUN_FLAG_STREAM 4u /* send all rows as events, as if STREAM had asked for them */

/* Memory: What READBACK and DIGEST look at. */
#define IQP_MEMORY_COUPLINGS 0u /* in canonical order of edges */
#define IQP_MEMORY_FIELDS 1u /* slot by slot */
#define IQP_MEMORY_STATES 2u /* start states, packed, slot by slot */
#define IQP_MEMORY_CLAMPS 3u /* packed */
#define IQP_MEMORY_LEGS 4u /* the table of legs */

/* BeginFlag: Bits of BEGIN. */
#define IQP_BEGIN_FLAG_KEEP 1u /* keep the couplings there are: only changes follow */

/* HelloOption: Bits of HELLO. */
#define IQP_HELLO_OPTION_STRONG 1u /* from the reply on both sides drop frames without CRC-32 */

/* ResetCause: Why a device started. */
#define IQP_RESET_CAUSE_UNKNOWN 0u /* the part does not tell */
#define IQP_RESET_CAUSE_POWER 1u /* power came on */
#define IQP_RESET_CAUSE_PIN 2u /* the reset pin */
#define IQP_RESET_CAUSE_WATCHDOG 3u /* the watchdog */
#define IQP_RESET_CAUSE_BROWN_OUT 4u /* the supply dipped */
#define IQP_RESET_CAUSE_COMMAND 5u /* RESET */

/* FaultBit: What is wrong with a board. */
#define IQP_FAULT_BIT_SUPPLY 1u /* supply out of range */
#define IQP_FAULT_BIT_CLOCK 2u /* no clock or no lock */
#define IQP_FAULT_BIT_MEMORY 4u /* a self-test of memory failed */
#define IQP_FAULT_BIT_ARRAY 8u /* the array of spins does not answer */
#define IQP_FAULT_BIT_OVERHEAT 16u /* too hot */

/* Parameter: Parameters every device has; from 128 on they are its own. */
#define IQP_PARAMETER_EVENTS 1u /* 1 sends events, 0 (after HELLO) none */
#define IQP_PARAMETER_SILENCE_MS 2u /* a run is aborted after so long without a frame; 0 (after HELLO) never */

/* Messages: where each field begins, and the bytes of the fixed part. */
#define IQP_AT_HELLO_LOWEST 0u
#define IQP_AT_HELLO_HIGHEST 1u
#define IQP_AT_HELLO_OPTIONS 2u
#define IQP_AT_HELLO_NONCE 3u
#define IQP_BYTES_HELLO 7u
#define IQP_AT_DESCRIBE_OFFSET 0u
#define IQP_AT_DESCRIBE_COUNT 2u
#define IQP_BYTES_DESCRIBE 4u
#define IQP_AT_ECHO_DATA 0u
#define IQP_BYTES_ECHO 0u
#define IQP_BYTES_STATUS 0u
#define IQP_AT_SET_PARAMETER_PARAMETER 0u
#define IQP_AT_SET_PARAMETER_VALUE 1u
#define IQP_BYTES_SET_PARAMETER 5u
#define IQP_AT_GET_PARAMETER_PARAMETER 0u
#define IQP_BYTES_GET_PARAMETER 1u
#define IQP_BYTES_COUNTERS 0u
#define IQP_AT_BEGIN_NUM_SPINS 0u
#define IQP_AT_BEGIN_FLAGS 2u
#define IQP_BYTES_BEGIN 3u
#define IQP_AT_LOAD_COUPLINGS_OFFSET 0u
#define IQP_AT_LOAD_COUPLINGS_VALUES 4u
#define IQP_BYTES_LOAD_COUPLINGS 4u
#define IQP_AT_LOAD_FIELDS_OFFSET 0u
#define IQP_AT_LOAD_FIELDS_WIDTH 4u
#define IQP_AT_LOAD_FIELDS_VALUES 5u
#define IQP_BYTES_LOAD_FIELDS 5u
#define IQP_AT_COMMIT_DIGEST 0u
#define IQP_BYTES_COMMIT 4u
#define IQP_AT_READBACK_MEMORY 0u
#define IQP_AT_READBACK_OFFSET 1u
#define IQP_AT_READBACK_COUNT 5u
#define IQP_BYTES_READBACK 9u
#define IQP_AT_LOAD_STATES_OFFSET 0u
#define IQP_AT_LOAD_STATES_PACKED 4u
#define IQP_BYTES_LOAD_STATES 4u
#define IQP_AT_LOAD_CLAMPS_OFFSET 0u
#define IQP_AT_LOAD_CLAMPS_PACKED 2u
#define IQP_BYTES_LOAD_CLAMPS 2u
#define IQP_AT_LOAD_LEGS_LEG 0u
#define IQP_AT_LOAD_LEGS_VALUES 2u
#define IQP_BYTES_LOAD_LEGS 2u
#define IQP_AT_PATCH_FIELDS_SLOT 0u
#define IQP_AT_PATCH_FIELDS_NUM_SLOTS 2u
#define IQP_AT_PATCH_FIELDS_WIDTH 4u
#define IQP_AT_PATCH_FIELDS_NUM_SPINS 5u
#define IQP_AT_PATCH_FIELDS_SPINS 7u
#define IQP_BYTES_PATCH_FIELDS 7u
#define IQP_AT_COPY_SLOTS_SLOT 0u
#define IQP_AT_COPY_SLOTS_NUM_SLOTS 2u
#define IQP_AT_COPY_SLOTS_SOURCE 4u
#define IQP_BYTES_COPY_SLOTS 6u
#define IQP_AT_DIGEST_MEMORY 0u
#define IQP_AT_DIGEST_OFFSET 1u
#define IQP_AT_DIGEST_COUNT 5u
#define IQP_BYTES_DIGEST 9u
#define IQP_AT_RUN_RUN 0u
#define IQP_AT_RUN_SEED 4u
#define IQP_AT_RUN_SAMPLE 8u
#define IQP_AT_RUN_SLOT 12u
#define IQP_AT_RUN_NUM_SLOTS 14u
#define IQP_AT_RUN_READS 16u
#define IQP_AT_RUN_THIN 18u
#define IQP_AT_RUN_START 20u
#define IQP_AT_RUN_FLAGS 21u
#define IQP_AT_RUN_LEG 22u
#define IQP_AT_RUN_NUM_LEGS 24u
#define IQP_AT_RUN_SHIFT 26u
#define IQP_BYTES_RUN 27u
#define IQP_AT_POLL_RUN 0u
#define IQP_BYTES_POLL 4u
#define IQP_AT_READ_RUN 0u
#define IQP_AT_READ_ROW 4u
#define IQP_AT_READ_NUM_ROWS 8u
#define IQP_BYTES_READ 10u
#define IQP_AT_STREAM_RUN 0u
#define IQP_AT_STREAM_ROW 4u
#define IQP_AT_STREAM_CREDIT 8u
#define IQP_BYTES_STREAM 12u
#define IQP_AT_ABORT_RUN 0u
#define IQP_BYTES_ABORT 4u
#define IQP_AT_CORRELATE_RUN 0u
#define IQP_AT_CORRELATE_OFFSET 4u
#define IQP_AT_CORRELATE_COUNT 8u
#define IQP_BYTES_CORRELATE 10u
#define IQP_AT_RESET_MAGIC 0u
#define IQP_BYTES_RESET 4u
#define IQP_AT_SHUTDOWN_MAGIC 0u
#define IQP_BYTES_SHUTDOWN 4u
#define IQP_AT_REPLY_HELLO_VERSION 0u
#define IQP_AT_REPLY_HELLO_CAUSE 1u
#define IQP_AT_REPLY_HELLO_NONCE 2u
#define IQP_AT_REPLY_HELLO_BOOT 6u
#define IQP_AT_REPLY_HELLO_UID 10u
#define IQP_AT_REPLY_HELLO_DESCRIPTOR_BYTES 18u
#define IQP_AT_REPLY_HELLO_DESCRIPTOR_DIGEST 20u
#define IQP_AT_REPLY_HELLO_LONGEST_FRAME 24u
#define IQP_AT_REPLY_HELLO_WINDOW_BYTES 26u
#define IQP_BYTES_REPLY_HELLO 28u
#define IQP_AT_REPLY_DESCRIBE_OFFSET 0u
#define IQP_AT_REPLY_DESCRIBE_DATA 2u
#define IQP_BYTES_REPLY_DESCRIBE 2u
#define IQP_AT_REPLY_ECHO_DATA 0u
#define IQP_BYTES_REPLY_ECHO 0u
#define IQP_AT_REPLY_STATUS_BOOT 0u
#define IQP_AT_REPLY_STATUS_STATE 4u
#define IQP_AT_REPLY_STATUS_FAULTS 5u
#define IQP_AT_REPLY_STATUS_RUN 6u
#define IQP_AT_REPLY_STATUS_ROWS_READY 10u
#define IQP_AT_REPLY_STATUS_NUM_SPINS 14u
#define IQP_AT_REPLY_STATUS_DIGEST 16u
#define IQP_BYTES_REPLY_STATUS 20u
#define IQP_BYTES_REPLY_SET_PARAMETER 0u
#define IQP_AT_REPLY_GET_PARAMETER_PARAMETER 0u
#define IQP_AT_REPLY_GET_PARAMETER_VALUE 1u
#define IQP_BYTES_REPLY_GET_PARAMETER 5u
#define IQP_AT_REPLY_COUNTERS_BOOT 0u
#define IQP_AT_REPLY_COUNTERS_FRAMES 4u
#define IQP_AT_REPLY_COUNTERS_BAD_CHECKS 8u
#define IQP_AT_REPLY_COUNTERS_BAD_FRAMES 12u
#define IQP_AT_REPLY_COUNTERS_OVERRUNS 16u
#define IQP_AT_REPLY_COUNTERS_REPLAYS 20u
#define IQP_AT_REPLY_COUNTERS_OUT_OF_ORDER 24u
#define IQP_AT_REPLY_COUNTERS_RESETS 28u
#define IQP_BYTES_REPLY_COUNTERS 32u
#define IQP_BYTES_REPLY_BEGIN 0u
#define IQP_BYTES_REPLY_LOAD_COUPLINGS 0u
#define IQP_BYTES_REPLY_LOAD_FIELDS 0u
#define IQP_BYTES_REPLY_COMMIT 0u
#define IQP_AT_REPLY_READBACK_MEMORY 0u
#define IQP_AT_REPLY_READBACK_OFFSET 1u
#define IQP_AT_REPLY_READBACK_DATA 5u
#define IQP_BYTES_REPLY_READBACK 5u
#define IQP_BYTES_REPLY_LOAD_STATES 0u
#define IQP_BYTES_REPLY_LOAD_CLAMPS 0u
#define IQP_BYTES_REPLY_LOAD_LEGS 0u
#define IQP_BYTES_REPLY_PATCH_FIELDS 0u
#define IQP_BYTES_REPLY_COPY_SLOTS 0u
#define IQP_AT_REPLY_DIGEST_DIGEST 0u
#define IQP_BYTES_REPLY_DIGEST 4u
#define IQP_AT_REPLY_RUN_BOOT 0u
#define IQP_AT_REPLY_RUN_RUN 4u
#define IQP_AT_REPLY_RUN_ESTIMATE_US 8u
#define IQP_BYTES_REPLY_RUN 12u
#define IQP_AT_REPLY_POLL_BOOT 0u
#define IQP_AT_REPLY_POLL_RUN 4u
#define IQP_AT_REPLY_POLL_STATE 8u
#define IQP_AT_REPLY_POLL_ROWS_READY 9u
#define IQP_AT_REPLY_POLL_DIGEST 13u
#define IQP_AT_REPLY_POLL_COUPLINGS 17u
#define IQP_BYTES_REPLY_POLL 21u
#define IQP_AT_REPLY_READ_BOOT 0u
#define IQP_AT_REPLY_READ_RUN 4u
#define IQP_AT_REPLY_READ_ROW 8u
#define IQP_AT_REPLY_READ_NUM_ROWS 12u
#define IQP_AT_REPLY_READ_PACKED 14u
#define IQP_BYTES_REPLY_READ 14u
#define IQP_BYTES_REPLY_STREAM 0u
#define IQP_BYTES_REPLY_ABORT 0u
#define IQP_AT_REPLY_CORRELATE_BOOT 0u
#define IQP_AT_REPLY_CORRELATE_RUN 4u
#define IQP_AT_REPLY_CORRELATE_OFFSET 8u
#define IQP_AT_REPLY_CORRELATE_VALUES 12u
#define IQP_BYTES_REPLY_CORRELATE 12u
#define IQP_BYTES_REPLY_RESET 0u
#define IQP_BYTES_REPLY_SHUTDOWN 0u
#define IQP_AT_EVENT_BOOTED_CAUSE 0u
#define IQP_BYTES_EVENT_BOOTED 1u
#define IQP_AT_EVENT_ROWS_BOOT 0u
#define IQP_AT_EVENT_ROWS_RUN 4u
#define IQP_AT_EVENT_ROWS_ROW 8u
#define IQP_AT_EVENT_ROWS_NUM_ROWS 12u
#define IQP_AT_EVENT_ROWS_PACKED 14u
#define IQP_BYTES_EVENT_ROWS 14u
#define IQP_AT_EVENT_ENDED_BOOT 0u
#define IQP_AT_EVENT_ENDED_RUN 4u
#define IQP_AT_EVENT_ENDED_STATE 8u
#define IQP_AT_EVENT_ENDED_ROWS_READY 9u
#define IQP_AT_EVENT_ENDED_DIGEST 13u
#define IQP_AT_EVENT_ENDED_COUPLINGS 17u
#define IQP_AT_EVENT_ENDED_ROW 21u
#define IQP_AT_EVENT_ENDED_PACKED 25u
#define IQP_BYTES_EVENT_ENDED 25u
#define IQP_AT_EVENT_FAULT_BOOT 0u
#define IQP_AT_EVENT_FAULT_FAULTS 4u
#define IQP_BYTES_EVENT_FAULT 5u

#endif
